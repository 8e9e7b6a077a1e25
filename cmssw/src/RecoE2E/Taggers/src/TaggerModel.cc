#include "RecoE2E/Taggers/interface/TaggerModel.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "openSession.h"

namespace e2e {

  namespace {
    // Of the frames of one call: 67 jets with all channels, or 4096 photons; a network makes many times as much of them.
    constexpr std::size_t kMostValues = 1 << 23;
    constexpr std::size_t kTogether = 4;         // objects that are run with each other and alone
    constexpr float kRounding = 1e-4;            // by which their numbers may then differ, of those above 1 their part
    constexpr double kScore = 1e-5;              // by which a score may differ from that of its logit
    constexpr char const* kScalars = "scalars";  // name of the second input
  }  // namespace

  TaggerModel::TaggerModel(std::string const& path, std::string const& provider)
      : path_(path), contract_(ModelContract::read(path)), session_(openSession(path, provider)) {
    // The wrapper does not tell the shapes of a model: two empty frames show at once whether it takes a batch of them.
    constexpr std::size_t objects = 2;
    auto const size = contract_.channels.size() * contract_.crop.rows * contract_.crop.columns;
    auto const nothing = [](std::size_t values) { return std::vector<float>(values, 0.f); };
    for (auto const& values : run({nothing(objects * size), nothing(objects * contract_.scalars.size())}, objects))
      for (auto const value : values)
        if (not std::isfinite(value))
          throw std::runtime_error(path_ + ": gives " + std::to_string(value) +
                                   " for frames without a hit: its weights are not finite; train it again");
    checkAlone();
  }

  /// An object's numbers are its own: neither random nor those of its neighbours in the event.
  void TaggerModel::checkAlone() const {
    auto const size = contract_.channels.size() * contract_.crop.rows * contract_.crop.columns;
    auto const beside = contract_.scalars.size();
    std::vector<float> frames(kTogether * size, 0.f), scalars(kTogether * beside);
    std::mt19937 generator(1);
    for (auto& value : frames)  // hits in one cell of 64, of 0 to 4 units
      if (auto const drawn = generator(); drawn % 64 == 0)
        value = static_cast<float>(drawn >> 8) / (1 << 22);
    for (auto& value : scalars)  // 0 to 1
      value = static_cast<float>(generator() >> 8) / (1 << 24);
    auto const together = run({frames, scalars}, kTogether);
    std::size_t different = 0;
    for (std::size_t i = 0; i < kTogether; ++i) {
      auto const own = [i](std::vector<float> const& values, std::size_t each) {
        return std::vector<float>(values.begin() + i * each, values.begin() + (i + 1) * each);
      };
      auto const alone = run({own(frames, size), own(scalars, beside)}, 1);
      bool equal = true;
      for (std::size_t j = 0; j < alone.size(); ++j)
        for (std::size_t k = 0; k < alone[j].size(); ++k) {
          auto const a = together[j][i * contract_.sizes[j] + k], b = alone[j][k];
          equal = equal and not(std::abs(a - b) > kRounding * std::max(1.f, std::abs(a)));
        }
      different += not equal;
    }
    if (different > (contract_.nearTies ? kTogether / 2 : 0))
      throw std::runtime_error(path_ +
                               ": gives an object other numbers alone than beside others, so its scores depend on what "
                               "an event or a batch holds; export it anew, in evaluation mode");
  }

  /// The score of objects is the sigmoid of their logit, or the softmax of the logits of the classes.
  void TaggerModel::checkScores(cms::Ort::FloatArrays const& output, std::vector<std::uint32_t> const& object) const {
    auto const place = [&](char const* name) {
      return std::find(contract_.outputs.begin(), contract_.outputs.end(), name) - contract_.outputs.begin();
    };
    std::size_t const score = place("score"), logit = place("logit");
    if (score == output.size() or logit == output.size() or contract_.sizes[score] != contract_.sizes[logit])
      return;
    auto const size = contract_.sizes[logit];
    for (std::size_t i = 0; i < object.size(); ++i) {
      auto const begin = output[logit].begin() + i * size;
      double const largest = size == 1 ? 0. : *std::max_element(begin, begin + size);
      double sum = 0;
      for (auto value = begin; value != begin + size; ++value)
        sum += std::exp(*value - largest);
      for (std::size_t k = 0; k < size; ++k) {
        auto const expected = size == 1 ? 1 / (1 + std::exp(-double(*begin))) : std::exp(begin[k] - largest) / sum;
        auto const found = output[score][i * size + k];
        if (std::abs(found - expected) > kScore)
          throw std::runtime_error(path_ + ": gives score " + std::to_string(found) + " beside logit " +
                                   std::to_string(begin[k]) + " for object " + std::to_string(object[i]) +
                                   ", which do not belong together; export it anew");
      }
    }
  }

  /// input: frames, and the scalars beside them, of which there may be none.
  cms::Ort::FloatArrays TaggerModel::run(cms::Ort::FloatArrays input, std::size_t objects) const {
    auto const batch = static_cast<std::int64_t>(objects);
    std::vector<std::string> names{contract_.input};
    std::vector<std::vector<std::int64_t>> shapes{
        {batch, static_cast<std::int64_t>(contract_.channels.size()), contract_.crop.rows, contract_.crop.columns}};
    if (contract_.scalars.empty())
      input.resize(1);
    else {
      names.push_back(kScalars);
      shapes.push_back({batch, static_cast<std::int64_t>(contract_.scalars.size())});
    }
    cms::Ort::FloatArrays output;
    try {
      output = session_->run(names, input, shapes, contract_.outputs, batch);
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

  /// [objects, scalars] in the order of the contract.
  std::vector<float> TaggerModel::scalars(ObjectFrames const& frames) const {
    std::vector<float> values;
    values.reserve(frames.size() * contract_.scalars.size());
    for (std::size_t i = 0; i < frames.size(); ++i)
      for (auto const& name : contract_.scalars) {
        values.push_back(name == "seed_eta" ? frames.eta()[i] : frames.pt()[i]);
        if (not std::isfinite(values.back()))
          throw MissingScalar("object " + std::to_string(frames.object()[i]) + " has no " + name +
                              ", which the model takes; write the ntuple with it, or take a model of frames alone");
      }
    return values;
  }

  ObjectOutputs TaggerModel::outputs(ObjectFrames const& frames) const {
    contract_.check(frames);
    if (frames.size() == 0)
      return {contract_.numbers, {}, {}};
    auto const size = frames.data().size() / frames.size();
    auto const beside = scalars(frames);
    auto const most = std::max<std::size_t>(1, kMostValues / size);
    auto const numbers = contract_.numbers.size();
    std::vector<float> values;
    values.reserve(frames.size() * numbers);
    for (std::size_t first = 0; first < frames.size(); first += most) {
      auto const objects = std::min(most, frames.size() - first);
      auto const begin = frames.data().begin() + first * size;
      auto const own = beside.begin() + first * contract_.scalars.size();
      auto const output = run({std::vector<float>(begin, begin + objects * size),
                               std::vector<float>(own, own + objects * contract_.scalars.size())},
                              objects);
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
      auto const object = frames.object().begin() + first;
      checkScores(output, std::vector<std::uint32_t>(object, object + objects));
    }
    return {contract_.numbers, frames.object(), std::move(values)};
  }

}  // namespace e2e
