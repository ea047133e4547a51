// Views of memory that someone else owns: activations, tables, caches.
#ifndef BAGEL_TENSOR_TENSOR_H_
#define BAGEL_TENSOR_TENSOR_H_

#include <cstdint>

#include "base/error.h"
#include "formats/dtype.h"

namespace bagel {

// A dense row-major view on a device: a matrix [rows, cols] in which `stride` elements lie between
// the starts of two rows. Higher ranks are folded: rows are tokens, columns are channels.
struct Tensor {
  void* data = nullptr;
  DType dtype = DType::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;

  template <typename T>
  T* row(int64_t index) const {
    return static_cast<T*>(data) + index * stride;
  }
  float* f32(int64_t index = 0) const {
    CHECK(dtype == DType::kF32);
    return row<float>(index);
  }

  // Rows [first, first + count).
  Tensor Rows(int64_t first, int64_t count) const {
    CHECK(first >= 0 && count >= 0 && first + count <= rows);
    Tensor view = *this;
    view.data = static_cast<char*>(data) + first * stride * static_cast<int64_t>(DTypeSize(dtype));
    view.rows = count;
    return view;
  }
  // Columns [first, first + count).
  Tensor Cols(int64_t first, int64_t count) const {
    CHECK(first >= 0 && count >= 0 && first + count <= cols);
    Tensor view = *this;
    view.data = static_cast<char*>(data) + first * static_cast<int64_t>(DTypeSize(dtype));
    view.cols = count;
    return view;
  }
};

}  // namespace bagel

#endif  // BAGEL_TENSOR_TENSOR_H_
