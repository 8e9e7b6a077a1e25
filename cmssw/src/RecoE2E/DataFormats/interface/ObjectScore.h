#ifndef RecoE2E_DataFormats_ObjectScore_h
#define RecoE2E_DataFormats_ObjectScore_h

#include <cstdint>
#include <vector>

namespace e2e {

  /// Answer of a tagger for one object: score = sigmoid(logit) is the probability of the model's class 1.
  struct ObjectScore {
    std::uint32_t object = 0;
    float score = 0.f;
    float logit = 0.f;
  };

  using ObjectScoreCollection = std::vector<ObjectScore>;

}  // namespace e2e

#endif
