#include "RecoE2E/Taggers/interface/TaggerModel.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

#include "openSession.h"

namespace e2e {

  namespace {
    // Of the frames of one call: 67 jets with all channels, or 4096 photons; a network makes many times as much of them.
    constexpr std::size_t kMostValues = 1 << 23;
  }  // namespace

  TaggerModel::TaggerModel(std::string const& path, std::string const& provider)
      : path_(path), contract_(ModelContract::read(path)), session_(openSession(path, provider)) {
    // The wrapper does not tell the shapes of a model: two empty frames show at once whether it takes a batch of them.
    constexpr std::size_t objects = 2;
    auto const size = contract_.channels.size() * contract_.crop.rows * contract_.crop.columns;
    for (auto const& values : run({std::vector<float>(objects * size, 0.f)}, objects))
      for (auto const value : values)
        if (not std::isfinite(value))
          throw std::runtime_error(path_ + ": gives " + std::to_string(value) +
                                   " for frames without a hit: its weights are not finite; train it again");
  }

  cms::Ort::FloatArrays TaggerModel::run(cms::Ort::FloatArrays input, std::size_t objects) const {
    std::vector<std::int64_t> const shape{static_cast<std::int64_t>(objects),
                                          static_cast<std::int64_t>(contract_.channels.size()),
                                          contract_.crop.rows,
                                          contract_.crop.columns};
    cms::Ort::FloatArrays output;
    try {
      output = session_->run({contract_.input}, input, {shape}, contract_.outputs, shape[0]);
    } catch (std::exception const& error) {
      throw std::runtime_error(path_ + ": cannot run on " + std::to_string(objects) +
                               " frames of the shape in its JSON: " + error.what());
    }
    for (std::size_t i = 0; i < output.size(); ++i)
      if (output[i].size() != objects * contract_.sizes[i])
        throw std::runtime_error(path_ + ": gave " + std::to_string(output[i].size()) + " values of " +
                                 contract_.outputs[i] + " for " + std::to_string(objects) + " frames");
    return output;
  }

  ObjectOutputs TaggerModel::outputs(ObjectFrames const& frames) const {
    contract_.check(frames);
    if (frames.size() == 0)
      return {contract_.numbers, {}, {}};
    auto const size = frames.data().size() / frames.size();
    auto const most = std::max<std::size_t>(1, kMostValues / size);
    auto const numbers = contract_.numbers.size();
    std::vector<float> values;
    values.reserve(frames.size() * numbers);
    for (std::size_t first = 0; first < frames.size(); first += most) {
      auto const objects = std::min(most, frames.size() - first);
      auto const begin = frames.data().begin() + first * size;
      auto const output = run({std::vector<float>(begin, begin + objects * size)}, objects);
      for (std::size_t i = 0; i < objects; ++i) {
        for (std::size_t j = 0; j < output.size(); ++j) {
          auto const own = output[j].begin() + i * contract_.sizes[j];
          values.insert(values.end(), own, own + contract_.sizes[j]);
        }
        for (std::size_t j = 0; j < numbers; ++j) {
          auto const value = values[(first + i) * numbers + j];
          if (not std::isfinite(value)) {
            auto const finite =
                std::all_of(begin + i * size, begin + (i + 1) * size, [](float value) { return std::isfinite(value); });
            throw std::runtime_error(path_ + ": " + contract_.numbers[j] + " of object " +
                                     std::to_string(frames.object()[first + i]) + " is " + std::to_string(value) +
                                     (finite ? "; its frame is finite, so the model is at fault: its weights are not "
                                               "finite, or it overflows"
                                             : "; its hits are not all finite: look at the source"));
          }
        }
      }
    }
    return {contract_.numbers, frames.object(), std::move(values)};
  }

}  // namespace e2e
