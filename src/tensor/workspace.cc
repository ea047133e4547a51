#include "tensor/workspace.h"

#include <algorithm>
#include <string>

namespace bagel {

Tensor Workspace::Take(DType dtype, int64_t rows, int64_t cols) {
  CHECK(rows >= 0 && cols >= 0);
  constexpr size_t kAlignment = 64;
  const size_t bytes = static_cast<size_t>(rows * cols) * DTypeSize(dtype);
  const size_t padded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (!measuring() && padded > capacity_ - used_) {
    throw Error(ErrorKind::kOutOfMemory, "the workspace of " + std::to_string(capacity_) +
                                             " bytes has no room for " + std::to_string(padded) +
                                             " more than " + std::to_string(used_));
  }
  Tensor tensor{measuring() ? nullptr : data_ + used_, dtype, rows, cols, cols};
  used_ += padded;
  peak_ = std::max(peak_, used_);
  return tensor;
}

}  // namespace bagel
