// Ops that work row by row or element by element. Tensors are f16 or f32, each its own.
#ifndef BAGEL_CUDA_ROW_OPS_H_
#define BAGEL_CUDA_ROW_OPS_H_

#include <cuda_runtime.h>

#include "tensor/tensor.h"

namespace bagel {

// See the ops of the same names in tensor/ops.h.
void CudaRmsNorm(cudaStream_t stream, const Tensor& y, const Tensor& x, const float* weight,
                 float eps);
void CudaLayerNorm(cudaStream_t stream, const Tensor& y, const Tensor& x, const float* weight,
                   const float* bias, float eps);
void CudaGeluTanh(cudaStream_t stream, const Tensor& x);
void CudaSilu(cudaStream_t stream, const Tensor& x);
// y = factor * silu(gate) * up.
void CudaSwiGlu(cudaStream_t stream, const Tensor& y, const Tensor& gate, const Tensor& up,
                float factor = 1.0f);
// y = keep * y + factor * x. With keep = 0, y need not hold numbers.
void CudaBlend(cudaStream_t stream, const Tensor& y, const Tensor& x, float keep, float factor);
// y[r] += bias [y.cols].
void CudaAddBias(cudaStream_t stream, const Tensor& y, const float* bias);
void CudaScaleShift(cudaStream_t stream, const Tensor& y, const Tensor& x, const Tensor& factors);

}  // namespace bagel

#endif  // BAGEL_CUDA_ROW_OPS_H_
