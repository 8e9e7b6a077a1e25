#ifndef RecoE2E_DataFormats_ObjectOutputs_h
#define RecoE2E_DataFormats_ObjectOutputs_h

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace e2e {

  /**
   * What a model gives for the objects of an event: values [objects, outputs], contiguous in this order.
   *
   * names() are those of the model's numbers: of a classifier "score", the probability of its class 1, and "logit"; of
   * one of more than two classes "score_0" and so on, the probability of each, and "logit_0" and so on; of a regression
   * "mass" and "mass_width" [GeV], the half width within which 68 % of the true masses lie. object()[i] is the index of
   * the i-th object among the event's candidates.
   */
  class ObjectOutputs {
  public:
    ObjectOutputs() = default;
    /// values has object.size() * names.size() elements.
    ObjectOutputs(std::vector<std::string> names, std::vector<std::uint32_t> object, std::vector<float> values)
        : names_(std::move(names)), object_(std::move(object)), values_(std::move(values)) {}

    std::vector<std::string> const& names() const { return names_; }
    /// Number of objects.
    std::size_t size() const { return object_.size(); }
    std::vector<std::uint32_t> const& object() const { return object_; }
    std::vector<float> const& values() const { return values_; }
    float value(std::size_t i, std::size_t output) const { return values_[i * names_.size() + output]; }

  private:
    std::vector<std::string> names_;
    std::vector<std::uint32_t> object_;
    std::vector<float> values_;
  };

}  // namespace e2e

#endif
