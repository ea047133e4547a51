// Where the 3x3 convolutions of the autoencoder read and write.
#ifndef BAGEL_TENSOR_CONV_H_
#define BAGEL_TENSOR_CONV_H_

#include <algorithm>
#include <cstdint>
#include <utility>

namespace bagel {

enum class ConvSampling : uint8_t {
  kSame,  // stride 1, padded by one pixel on every side
  kDown,  // stride 2, padded by one pixel on the right and below: half the size
  kUp,    // nearest neighbour to twice the size, then as kSame
};

// One convolution, of which a band of output rows is computed from a band of input rows.
struct ConvGeometry {
  int64_t height = 0;  // pixels of the whole input
  int64_t width = 0;
  ConvSampling sampling = ConvSampling::kSame;
  int64_t first_input = 0;   // picture row with which x begins
  int64_t first_output = 0;  // picture row with which y begins

  int64_t OutputHeight() const { return Output(height); }
  int64_t OutputWidth() const { return Output(width); }

  // Input rows [first, second) that output rows [first_row, first_row + rows) read.
  std::pair<int64_t, int64_t> InputRows(int64_t first_row, int64_t rows) const {
    const int64_t last_row = first_row + rows;
    switch (sampling) {
      case ConvSampling::kSame:
        return {std::max<int64_t>(0, first_row - 1), std::min(height, last_row + 1)};
      case ConvSampling::kDown:
        return {2 * first_row, std::min(height, 2 * last_row + 1)};
      case ConvSampling::kUp:
        return {std::max<int64_t>(0, first_row - 1) / 2, std::min(height, last_row / 2 + 1)};
    }
    return {0, height};
  }

 private:
  int64_t Output(int64_t size) const {
    return sampling == ConvSampling::kUp     ? 2 * size
           : sampling == ConvSampling::kDown ? size / 2
                                             : size;
  }
};

}  // namespace bagel

#endif  // BAGEL_TENSOR_CONV_H_
