// What the NF4 kernels of the different instruction sets share.
#ifndef BAGEL_CPU_NF4_KERNELS_H_
#define BAGEL_CPU_NF4_KERNELS_H_

#include <cstdint>

#include "cpu/nf4.h"

namespace bagel {

// Blocks of a weight row whose magnitudes are unpacked at once.
inline constexpr int64_t kNf4Piece = 64;

// Bytes that the kernels ask for ahead of those they multiply: the hardware's own prefetch alone
// reached two thirds of the speed.
inline constexpr int64_t kNf4Prefetch = 6144;

// The integers of a level of 1 and of a block's largest activation. 16 bits: eight products fall
// into one 32-bit sum, and of the levels' factors that leave room for it 7854 rounds the 16 levels
// best (to 1.9e-5). 8 bits: nibbles select unsigned levels, round(127 * level) + 128, so that
// VPDPBUSD can multiply them with signed activations.
inline constexpr int32_t kNf4ShortLevel = 7854, kNf4ShortLimit = 32767;
inline constexpr int32_t kNf4ByteLevel = 127, kNf4ByteLimit = 127;

// scales[m * kNf4Piece + i] = the magnitude of block first_block + i times x's scale of block
// first_x_block + i in row m.
void Nf4ProductScales(const Nf4Scales& weight, int64_t first_block, const float* x_scales,
                      int64_t x_rows, int64_t x_stride, int64_t count, float* scales);

// Bytes of one row of activations in the order of the 8-bit kernel, and that order.
int64_t Nf4ByteRowBytes(int64_t blocks);
void ArrangeNf4Bytes(const int16_t* q, int64_t blocks, uint8_t* row);
void DotRowsNf4Bytes(const Weight& weight, int64_t first, int64_t last, const uint8_t* x,
                     int64_t x_row_bytes, const float* x_scales, int64_t x_rows, bool add, float* y,
                     int64_t y_stride);

}  // namespace bagel

#endif  // BAGEL_CPU_NF4_KERNELS_H_
