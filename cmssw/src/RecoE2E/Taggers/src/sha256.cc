#include "RecoE2E/Taggers/interface/sha256.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <istream>

namespace e2e {

  namespace {
    constexpr std::size_t kBlock = 64;  // bytes

    // FIPS 180-4, 4.2.2: fractional parts of the cube roots of the first 64 primes.
    constexpr std::array<std::uint32_t, 64> kRound{
        {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
         0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
         0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
         0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
         0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
         0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
         0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
         0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2}};

    std::uint32_t rotated(std::uint32_t x, int n) { return (x >> n) | (x << (32 - n)); }

    class Hash {
    public:
      void add(unsigned char const* block) {
        std::array<std::uint32_t, 64> w;
        for (std::size_t t = 0; t < 16; ++t)
          w[t] = std::uint32_t(block[4 * t]) << 24 | std::uint32_t(block[4 * t + 1]) << 16 |
                 std::uint32_t(block[4 * t + 2]) << 8 | block[4 * t + 3];
        for (std::size_t t = 16; t < 64; ++t) {
          auto const s0 = rotated(w[t - 15], 7) ^ rotated(w[t - 15], 18) ^ (w[t - 15] >> 3);
          auto const s1 = rotated(w[t - 2], 17) ^ rotated(w[t - 2], 19) ^ (w[t - 2] >> 10);
          w[t] = w[t - 16] + s0 + w[t - 7] + s1;
        }
        auto [a, b, c, d, e, f, g, h] = state_;
        for (std::size_t t = 0; t < 64; ++t) {
          auto const s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
          auto const t1 = h + s1 + ((e & f) ^ (~e & g)) + kRound[t] + w[t];
          auto const s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
          auto const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
          h = g;
          g = f;
          f = e;
          e = d + t1;
          d = c;
          c = b;
          b = a;
          a = t1 + t2;
        }
        std::array<std::uint32_t, 8> const sum{{a, b, c, d, e, f, g, h}};
        for (std::size_t i = 0; i < sum.size(); ++i)
          state_[i] += sum[i];
      }

      std::string hexadecimal() const {
        std::string text;
        for (auto const word : state_)
          for (int shift = 28; shift >= 0; shift -= 4)
            text += "0123456789abcdef"[(word >> shift) & 15];
        return text;
      }

    private:
      // FIPS 180-4, 5.3.3: fractional parts of the square roots of the first 8 primes.
      std::array<std::uint32_t, 8> state_{
          {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
    };
  }  // namespace

  std::string sha256(std::istream& input) {
    Hash hash;
    std::array<unsigned char, 2 * kBlock> buffer{};
    std::uint64_t bytes = 0;
    std::size_t rest = 0;
    auto const next = [&] {
      input.read(reinterpret_cast<char*>(buffer.data()), kBlock);
      rest = static_cast<std::size_t>(input.gcount());
      bytes += rest;
      return rest == kBlock;
    };
    while (next())
      hash.add(buffer.data());

    // The last block is closed by a bit 1, zeros, and the length in bits (big endian) in its last 8 bytes.
    auto const padded = rest < kBlock - 8 ? kBlock : 2 * kBlock;
    std::fill(buffer.begin() + rest, buffer.end(), 0);
    buffer[rest] = 0x80;
    for (std::size_t i = 0; i < 8; ++i)
      buffer[padded - 1 - i] = static_cast<unsigned char>((8 * bytes) >> (8 * i));
    for (std::size_t block = 0; block < padded; block += kBlock)
      hash.add(buffer.data() + block);
    return hash.hexadecimal();
  }

}  // namespace e2e
