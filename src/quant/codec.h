// Weight formats <-> f32, row by row: the plain reference that every device's kernels are tested
// against.
#ifndef BAGEL_QUANT_CODEC_H_
#define BAGEL_QUANT_CODEC_H_

#include <cstdint>
#include <span>
#include <vector>

namespace bagel {

// Values that share one f16 scale, the largest magnitude / 127 rounded to f16, as codes [values]:
// code = value / scale rounded half to even, clamped to +-127. Returns the scale.
uint16_t PackInt8(std::span<const float> values, int8_t* codes);

// int8_b64: 64 consecutive columns of a row share a scale.
struct Int8Block64 {
  std::vector<int8_t> codes;     // [out, in]
  std::vector<uint16_t> scales;  // f16 [out, ceil(in / 64)]
};
Int8Block64 PackInt8Block64(std::span<const float> values, int64_t out, int64_t in);

// One row: codes [in], scales [ceil(in / 64)] -> values [in].
void UnpackInt8Block64Row(const int8_t* codes, const uint16_t* scales, int64_t in, float* values);

}  // namespace bagel

#endif  // BAGEL_QUANT_CODEC_H_
