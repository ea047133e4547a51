// 3x3 convolutions in 16 multiplications for four outputs instead of 36: F(2 x 2, 3 x 3) of Lavin
// and Gray 2016. A tile of 2 x 2 outputs comes of 4 x 4 inputs; input and kernel become 16 numbers
// each, which are multiplied one by one and summed over the channels, and four outputs are made of
// the sums.
#ifndef BAGEL_CPU_WINOGRAD_H_
#define BAGEL_CPU_WINOGRAD_H_

#include <cstdint>

namespace bagel {

inline constexpr int64_t kWinogradNumbers = 16;

// The numbers of one output's kernel `taps` [9][channels], number p of channel i at
// w[p * distance + i].
void TransformKernel(const float* taps, int64_t channels, float* w, int64_t distance);

// The numbers of the 4 x 4 inputs that begin at x: pixels of a row lie `channels` values apart,
// rows `row_size`. Those of channels [0, count) go to numbers[p * distance + i].
void TransformInputs(const float* x, int64_t channels, int64_t row_size, int64_t count,
                     float* numbers, int64_t distance);

// The outputs (row, column) = (q / 2, q % 2) of sums[p * distance + i], i < count, in place of the
// first four sums: sums[q * distance + i]. `count` is a multiple of 32.
void TransformSums(float* sums, int64_t count, int64_t distance);

}  // namespace bagel

#endif  // BAGEL_CPU_WINOGRAD_H_
