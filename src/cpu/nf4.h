// NF4 weights: products with a few rows of activations, and unpacking.
//
// Inside a block of 64 weights everything is an integer: a nibble selects a level, the activations
// of the block are rounded to integers with one scale, and only the sum of the block meets the two
// scales in f32. The weights are never unpacked into memory.
#ifndef BAGEL_CPU_NF4_H_
#define BAGEL_CPU_NF4_H_

#include <cstdint>

#include "cpu/scratch.h"
#include "tensor/weight.h"

namespace bagel {

// Whether this processor multiplies 8-bit integers fast enough (AVX-512 VNNI and VBMI).
bool HasNf4Bytes();

// Activations [rows, blocks * 64] as the products read them.
struct Nf4Activations {
  bool bytes = false;  // 8-bit integers (relative L2 error of a product below 1.5e-2), or 16-bit
                       // ones (below 2e-4)
  int64_t rows = 0, blocks = 0;
  int64_t row_bytes = 0;  // of one row of `integers`
  Scratch integers;       // in the order of the kernel that `bytes` selects
  Scratch scales;         // f32 [rows, blocks]
  Scratch rounded;        // int16 [blocks * 64], one row
};

// x [rows, in] in f32, in a multiple of kNf4Block. `bytes` needs HasNf4Bytes().
void PackNf4Activations(const float* x, int64_t x_stride, int64_t rows, int64_t in, bool bytes,
                        Nf4Activations& packed);

// DotRows of cpu/weights.h for packed activations: y[m * y_stride + n] (+)= W[n] . x[m] + bias[n].
void DotRowsNf4(const Weight& weight, int64_t first, int64_t last, Nf4Activations& x, bool add,
                float* y, int64_t y_stride);

// The same for f32 activations and weights whose rows may begin inside a block: slow.
void DotUnalignedRowsNf4(const Weight& weight, int64_t first, int64_t last, const float* x,
                         int64_t x_stride, int64_t rows, bool add, float* y, int64_t y_stride);

// UnpackColumns of cpu/weights.h. Values equal UnpackRow's bit for bit.
void UnpackColumnsNf4(const Weight& weight, int64_t row, int64_t first, int64_t count,
                      float* values);

}  // namespace bagel

#endif  // BAGEL_CPU_NF4_H_
