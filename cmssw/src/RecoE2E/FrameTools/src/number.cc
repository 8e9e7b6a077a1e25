#include "RecoE2E/FrameTools/interface/number.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace e2e {

  std::string number(double value) {
    if (std::isnan(value))
      return "nan";
    if (std::isinf(value))
      return value < 0 ? "-inf" : "inf";
    auto const size = std::abs(value);
    bool const exponent = value != 0 && (size < 1e-4 || size >= 1e16);
    std::array<char, 64> text{};
    // the fewest digits that give the number back
    for (int digits = exponent ? 0 : 1; digits < 25; ++digits) {
      std::snprintf(text.data(), text.size(), exponent ? "%.*e" : "%.*f", digits, value);
      if (std::strtod(text.data(), nullptr) == value)
        break;
    }
    return text.data();
  }

}  // namespace e2e
