// Scratch memory for one step: taken in order, given back all at once.
#ifndef BAGEL_TENSOR_WORKSPACE_H_
#define BAGEL_TENSOR_WORKSPACE_H_

#include <cstddef>
#include <cstdint>

#include "tensor/tensor.h"

namespace bagel {

// An arena over memory of a device. In measuring mode (no memory) it hands out views without data
// and only finds the peak, which is what a dry run of a step is for.
class Workspace {
 public:
  // Measuring mode.
  Workspace() = default;
  Workspace(void* data, size_t bytes) : data_(static_cast<char*>(data)), capacity_(bytes) {}

  // A dense [rows, cols] tensor, 64-byte aligned. Throws kOutOfMemory with the sizes if it does not
  // fit, which a dry run of the largest step rules out.
  Tensor Take(DType dtype, int64_t rows, int64_t cols);

  size_t peak() const { return peak_; }
  bool measuring() const { return data_ == nullptr; }

  // Gives back everything taken since its construction when it goes out of scope.
  class Scope {
   public:
    explicit Scope(Workspace& workspace) : workspace_(workspace), used_(workspace.used_) {}
    ~Scope() { workspace_.used_ = used_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Workspace& workspace_;
    size_t used_;
  };

 private:
  char* data_ = nullptr;
  size_t capacity_ = 0;
  size_t used_ = 0;
  size_t peak_ = 0;
};

}  // namespace bagel

#endif  // BAGEL_TENSOR_WORKSPACE_H_
