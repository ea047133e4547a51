// Products with weights in the formats that Place makes: NF4, int8 in blocks of 64, f16.
#ifndef BAGEL_CUDA_LINEAR_H_
#define BAGEL_CUDA_LINEAR_H_

#include <memory>

#include "cuda/context.h"
#include "cuda/cublas.h"
#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace bagel {

class CudaLinear {
 public:
  explicit CudaLinear(CudaContext& context);

  // y = scale * x W^T + bias, or y += that. x: f16 or f32 [rows, W.in], y: f16 or f32 [rows,
  // W.out]; an f32 x is multiplied as f16. Sums are f32; an f16 result saturates at 65504, but
  // through cuBLAS, without a bias, it becomes infinite, which CudaSwiGlu takes as 65504.
  void Run(const Tensor& y, const Tensor& x, const Weight& weight, bool add, float scale = 1.0f);

 private:
  // Through the weight as dense f16 at `values`, in slices; x of as many columns.
  void RunUnpacked(const Tensor& y, const Tensor& x, const Weight& weight, bool add, float scale,
                   void* values);
  // `values` f16 [y.cols, x.cols].
  void RunDense(const Tensor& y, const Tensor& x, const void* values, const float* bias, bool add,
                float scale);

  CudaContext& context_;
  std::unique_ptr<Cublas> cublas_;  // null: own kernels only
};

}  // namespace bagel

#endif  // BAGEL_CUDA_LINEAR_H_
