// What the NF4 kernels of the different instruction sets share.
#ifndef BAGEL_CPU_NF4_KERNELS_H_
#define BAGEL_CPU_NF4_KERNELS_H_

#include <cstdint>

#include "cpu/nf4.h"

namespace bagel {

// Blocks whose magnitudes are unpacked at once: whole rows.
inline constexpr int64_t kNf4Magnitudes = kNf4MaxColumns / kNf4Block;

// Asks for weights ahead of those that are multiplied: into the second-level cache from far, into
// the first from near. The hardware's own prefetch alone reached two thirds of the speed.
inline void PrefetchNf4(const uint8_t* bytes) {
  __builtin_prefetch(bytes + 768, 0, 3);
  __builtin_prefetch(bytes + 8192, 0, 2);
}

// The integers of a level of 1 and of a block's largest activation. 16 bits: eight products fall
// into one 32-bit sum, and of the levels' factors that leave room for it 7854 rounds the 16 levels
// best (to 1.9e-5). 8 bits: levels are unsigned, so that VPDPBUSD can multiply them with signed
// activations.
inline constexpr int32_t kNf4ShortLevel = 7854, kNf4ShortLimit = 32767;
inline constexpr int32_t kNf4ByteLevel = 127, kNf4ByteLimit = 127;

// Bytes of one row of activations in the order of the 8-bit kernel, and that order.
int64_t Nf4ByteRowBytes(int64_t blocks);
void ArrangeNf4Bytes(const int16_t* q, int64_t blocks, uint8_t* row);

// What a kernel works on: rows [first, last) of the weight and the magnitudes of their blocks;
// packed activations, and their scales with kNf4Magnitudes from one row to the next. Both arrays
// of floats may be read up to the next multiple of 16.
struct Nf4Product {
  const Weight& weight;
  int64_t first, last;
  const float* magnitudes;
  const uint8_t* x;
  int64_t x_row_bytes;
  const float* x_scales;
  bool add;
  float* y;
  int64_t y_stride;
};
void DotRowsNf4Bytes(const Nf4Product& product, const Nf4ByteTables& tables, int64_t x_rows);

Nf4ByteTables MakeNf4ByteTables(const Nf4Scales& scales);
// Magnitudes of blocks [first, first + count), nested. May write up to the next multiple of 64.
void Nf4ByteMagnitudes(const Nf4Scales& scales, const Nf4ByteTables& tables, int64_t first,
                       int64_t count, float* out);

}  // namespace bagel

#endif  // BAGEL_CPU_NF4_KERNELS_H_
