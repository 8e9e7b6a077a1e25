#ifndef RecoE2E_Taggers_ModelContract_h
#define RecoE2E_Taggers_ModelContract_h

#include <cstdint>
#include <string>
#include <vector>

#include "RecoE2E/DataFormats/interface/Channel.h"
#include "RecoE2E/DataFormats/interface/Crop.h"
#include "RecoE2E/DataFormats/interface/ObjectFrames.h"

namespace e2e {

  /**
   * What a model takes and gives: model.json, which the export writes beside model.onnx and binds to it by its SHA-256.
   *
   * The model's input is float32 [N, channels, crop.rows, crop.columns] of raw values in the unit of each channel, and
   * beside it, where there are scalars, float32 [N, scalars] of these: "seed_eta", "jetPt" in GeV; each of its outputs is float32 [N], or [N, classes]. rows and columns are those of the detector that its crops are cut from. tracks says
   * where tracks lay in what it was trained on (see FrameOrigin).
   */
  struct ModelContract {
    /// Where most of the training's objects lie in a quantity, whose magnitude counts: from low to high. It is a scalar
    /// or, of the frame in a channel, the number of its "hits" or the "smallest" magnitude of a value that is not 0.
    struct Range {
      std::string quantity;
      std::string channel;
      std::string unit;
      double low = 0;
      double high = 0;
    };

    std::string input;
    std::vector<Channel> channels;
    std::string tracks;
    std::vector<std::string> scalars;
    std::vector<Range> domain;
    std::uint32_t rows = 0;
    std::uint32_t columns = 0;
    Crop crop;
    std::vector<std::string> outputs;
    std::vector<std::uint32_t> sizes;  ///< how many numbers an output has for each object
    bool nearTies = false;             ///< whether rounding may make single objects jump

    /// Names of all these numbers in their order: "score", or of classes "score_0", "score_1", ...
    std::vector<std::string> numbers;

    /**
     * The contract of the model at modelPath (.onnx). Throws std::runtime_error, naming the file, where the model or
     * its JSON cannot be read, the JSON belongs to another model, or its content is no contract of the known format.
     */
    static ModelContract read(std::string const& modelPath);

    /// Throws std::runtime_error where the frames have other channels, another order or cell of them, another crop, or
    /// come from a detector of other rows and columns.
    void check(ObjectFrames const& frames) const;
  };

}  // namespace e2e

#endif
