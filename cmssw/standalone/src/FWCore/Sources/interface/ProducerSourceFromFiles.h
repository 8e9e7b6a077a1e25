#ifndef FWCore_Sources_ProducerSourceFromFiles_h
#define FWCore_Sources_ProducerSourceFromFiles_h

#include "FWCore/Sources/interface/FromFiles.h"
#include "FWCore/Sources/interface/ProducerSourceBase.h"

namespace edm {

  /// A source that reads files of a form of its own and puts products into the events it makes.
  class ProducerSourceFromFiles : public ProducerSourceBase, private FromFiles {
  public:
    ProducerSourceFromFiles(ParameterSet const& pset, InputSourceDescription const& description, bool realData)
        : ProducerSourceBase(pset, description, realData), FromFiles(pset) {}

    using FromFiles::fileNames;
    using FromFiles::logicalFileNames;

    static void fillDescription(ParameterSetDescription& description);

  protected:
    using FromFiles::incrementFileIndex;

  private:
    std::size_t fileIndex() const override { return FromFiles::fileIndex(); }
  };

}  // namespace edm

#endif
