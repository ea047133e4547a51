#include "quant/codec.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "quant/half.h"

namespace bagel {
namespace {
constexpr int64_t kBlock = 64;
}

Int8Block64 PackInt8Block64(std::span<const float> values, int64_t out, int64_t in) {
  CHECK(static_cast<int64_t>(values.size()) == out * in);
  Int8Block64 packed;
  packed.codes.reserve(values.size());
  for (int64_t row = 0; row < out; ++row) {
    for (int64_t first = 0; first < in; first += kBlock) {
      const auto block = values.subspan(static_cast<size_t>(row * in + first),
                                        static_cast<size_t>(std::min(kBlock, in - first)));
      float largest = 0;
      for (const float value : block) largest = std::max(largest, std::fabs(value));
      const uint16_t scale_bits = F32ToF16(largest / 127.0f);
      const float scale = F16ToF32(scale_bits);
      packed.scales.push_back(scale_bits);
      for (const float value : block) {
        const float code = scale > 0 ? std::nearbyint(value / scale) : 0.0f;
        packed.codes.push_back(static_cast<int8_t>(std::clamp(code, -127.0f, 127.0f)));
      }
    }
  }
  return packed;
}

void UnpackInt8Block64Row(const int8_t* codes, const uint16_t* scales, int64_t in, float* values) {
  for (int64_t i = 0; i < in; ++i)
    values[i] = static_cast<float>(codes[i]) * F16ToF32(scales[i / kBlock]);
}

}  // namespace bagel
