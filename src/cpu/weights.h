// Reading weight rows in any format: dot products with a few activations, and unpacking.
#ifndef BAGEL_CPU_WEIGHTS_H_
#define BAGEL_CPU_WEIGHTS_H_

#include <cstdint>

#include "tensor/weight.h"

namespace bagel {

// Most activation rows that MultiplyRows takes.
inline constexpr int64_t kMaxDotRows = 8;

// Weight rows that DotRows takes at once.
inline constexpr int64_t kDotBlockRows = 4;

// y[m * y_stride + n] (+)= W[n] . x[m] + bias[n] for n in [first, last) and m < rows <=
// kMaxDotRows: every weight is read once and unpacked in registers. f32 sums.
void DotRows(const Weight& weight, int64_t first, int64_t last, const float* x, int64_t x_stride,
             int64_t rows, bool add, float* y, int64_t y_stride);

// Columns [first, first + count) of one row as f32. Vectorised UnpackRow.
void UnpackColumns(const Weight& weight, int64_t row, int64_t first, int64_t count, float* values);

}  // namespace bagel

#endif  // BAGEL_CPU_WEIGHTS_H_
