// A matrix of the model in the format it is stored in. Nothing above the ops looks inside.
#ifndef BAGEL_TENSOR_WEIGHT_H_
#define BAGEL_TENSOR_WEIGHT_H_

#include <cstddef>
#include <cstdint>
#include <functional>

#include "quant/nf4.h"

namespace bagel {

enum class WeightFormat : uint8_t {
  kF32,
  kF16,
  kBF16,
  kInt8Block64,  // int8 with one f16 scale for 64 columns of a row: value = code * scale
  kNf4,          // nibbles of the flattened matrix, see quant/nf4.h: rows may begin inside a block
};

// "F32", "F16", "BF16", "INT8_B64", "NF4".
const char* WeightFormatName(WeightFormat format);

// y = x W^T + bias: W is [out, in], row-major in its format. A view; `data` lies on the device of
// the Ops that uses it.
struct Weight {
  WeightFormat format = WeightFormat::kF32;
  int64_t out = 0;
  int64_t in = 0;
  const void* data = nullptr;
  // kInt8Block64: f16 [out, ceil(in / 64)]. kNf4: f16 magnitudes [blocks] where a device keeps
  // them so, with no others in `nf4`.
  const void* scales = nullptr;
  const float* bias = nullptr;  // f32 [out], or null
  Nf4Scales nf4 = {};           // kNf4
};

// Bytes of one row's `data` and scales together, on average and rounded up, and of all rows.
int64_t WeightRowBytes(const Weight& weight);
int64_t WeightBytes(const Weight& weight);

// A weight with all that it refers to but the bias in one piece of memory, each part on a multiple
// of 256 bytes: how much that is, and the weight there. `copy(to, from, bytes)` is called for every
// part.
using CopyPart = std::function<void(void* to, const void* from, size_t bytes)>;
size_t MovedBytes(const Weight& weight);
Weight Moved(const Weight& weight, void* memory, const CopyPart& copy);
// MovedBytes of `host` as a GPU keeps it: f32 and bf16 become f16, and so do magnitudes of NF4.
size_t PlacedBytes(const Weight& host);

// One row as f32: values [in]. The weight must lie in host memory.
void UnpackRow(const Weight& weight, int64_t row, float* values);

// Columns that share one scale in kInt8Block64, and the scales of a row.
inline constexpr int64_t kInt8BlockSize = 64;
constexpr int64_t ScaleBlocks(int64_t in) { return (in + kInt8BlockSize - 1) / kInt8BlockSize; }

}  // namespace bagel

#endif  // BAGEL_TENSOR_WEIGHT_H_
