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

// Whether the products below take weights of this width: whole blocks, and not too many.
inline constexpr int64_t kNf4MaxColumns = 65536;
constexpr bool IsNf4Width(int64_t in) { return in % kNf4Block == 0 && in <= kNf4MaxColumns; }

// What the 8-bit products look up: the 16 levels, round(127 * level) + 128, and the 256 levels of
// nested magnitudes, round(127 * level).
struct alignas(64) Nf4ByteTables {
  uint8_t levels[64];
  int8_t nested[256];
};

// Activations [rows, blocks * 64] as the products with one weight read them.
struct Nf4Activations {
  const Weight* weight = nullptr;
  bool bytes = false;  // 8-bit integers (relative L2 error of a product below 1.5e-2), or 16-bit
                       // ones (below 2e-4)
  int64_t rows = 0, blocks = 0;
  int64_t row_bytes = 0;  // of one row of `integers`
  Scratch integers;       // in the order of the kernel that `bytes` selects
  Scratch scales;         // f32 [rows, kNf4MaxColumns / 64]
  Scratch rounded;        // int16 [blocks * 64], one row
  Nf4ByteTables tables;   // of the weight, for `bytes`
};

// x [rows, weight.in] in f32, IsNf4Width(weight.in). `bytes` needs HasNf4Bytes(). The weight must
// outlive `packed`.
void PackNf4Activations(const Weight& weight, const float* x, int64_t x_stride, int64_t rows,
                        bool bytes, Nf4Activations& packed);

// DotRows of cpu/weights.h for packed activations: y[m * y_stride + n] (+)= W[n] . x[m] + bias[n].
void DotRowsNf4(int64_t first, int64_t last, Nf4Activations& x, bool add, float* y,
                int64_t y_stride);

// The same for f32 activations and weights of any width: slow.
void DotUnalignedRowsNf4(const Weight& weight, int64_t first, int64_t last, const float* x,
                         int64_t x_stride, int64_t rows, bool add, float* y, int64_t y_stride);

// UnpackColumns of cpu/weights.h. Values equal UnpackRow's bit for bit.
void UnpackColumnsNf4(const Weight& weight, int64_t row, int64_t first, int64_t count,
                      float* values);

}  // namespace bagel

#endif  // BAGEL_CPU_NF4_H_
