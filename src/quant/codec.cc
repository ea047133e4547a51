#include "quant/codec.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "quant/half.h"

namespace bagel {
namespace {
constexpr int64_t kBlock = 64;
}

uint16_t PackInt8(std::span<const float> values, int8_t* codes) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::fabs(value));
  const uint16_t scale_bits = F32ToF16(largest / 127.0f);
  const float scale = F16ToF32(scale_bits);
  for (size_t i = 0; i < values.size(); ++i) {
    const float code = scale > 0 ? std::nearbyint(values[i] / scale) : 0.0f;
    codes[i] = static_cast<int8_t>(std::clamp(code, -127.0f, 127.0f));
  }
  return scale_bits;
}

Int8Block64 PackInt8Block64(std::span<const float> values, int64_t out, int64_t in) {
  CHECK(static_cast<int64_t>(values.size()) == out * in);
  Int8Block64 packed;
  packed.codes.resize(values.size());
  for (int64_t row = 0; row < out; ++row) {
    for (int64_t first = 0; first < in; first += kBlock) {
      const auto at = static_cast<size_t>(row * in + first);
      const auto count = static_cast<size_t>(std::min(kBlock, in - first));
      packed.scales.push_back(PackInt8(values.subspan(at, count), packed.codes.data() + at));
    }
  }
  return packed;
}

void UnpackInt8Block64Row(const int8_t* codes, const uint16_t* scales, int64_t in, float* values) {
  for (int64_t i = 0; i < in; ++i)
    values[i] = static_cast<float>(codes[i]) * F16ToF32(scales[i / kBlock]);
}

}  // namespace bagel
