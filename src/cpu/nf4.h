// Reading NF4 weights: dot products with a few activations, and unpacking.
#ifndef BAGEL_CPU_NF4_H_
#define BAGEL_CPU_NF4_H_

#include <cstdint>

#include "tensor/weight.h"

namespace bagel {

// DotRows and UnpackColumns of cpu/weights.h for WeightFormat::kNf4. Unpacked values equal
// UnpackRow's bit for bit. Fast where a row is a whole number of blocks.
void DotRowsNf4(const Weight& weight, int64_t first, int64_t last, const float* x, int64_t x_stride,
                int64_t rows, bool add, float* y, int64_t y_stride);
void UnpackColumnsNf4(const Weight& weight, int64_t row, int64_t first, int64_t count,
                      float* values);

}  // namespace bagel

#endif  // BAGEL_CPU_NF4_H_
