// cuBLAS, where the machine has it: large f16 products on newer cards. It is loaded when the
// program runs and never required.
#ifndef BAGEL_CUDA_CUBLAS_H_
#define BAGEL_CUDA_CUBLAS_H_

#include <cuda_runtime.h>

#include <cstdint>
#include <memory>

#include "tensor/tensor.h"

namespace bagel {

class Cublas {
 public:
  // Null where there is none, of version 11 or newer.
  static std::unique_ptr<Cublas> Load(cudaStream_t stream);
  virtual ~Cublas() = default;

  // y = scale * x W^T, or y += that. x f16 [rows, in], W dense f16 [y.cols, in], y f16 or f32.
  virtual void Multiply(const Tensor& y, const Tensor& x, const void* weight, bool add,
                        float scale) = 0;
};

}  // namespace bagel

#endif  // BAGEL_CUDA_CUBLAS_H_
