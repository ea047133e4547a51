// Products of many rows on tensor cores.
#ifndef BAGEL_CUDA_GEMM_H_
#define BAGEL_CUDA_GEMM_H_

#include <cuda_runtime.h>

#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace bagel {

// Whether Gemm takes this: weight rows of whole blocks, x f16, both 16-byte aligned.
bool GemmTakes(const Tensor& x, const Weight& weight);

// See CudaLinear::Run.
void Gemm(cudaStream_t stream, const Tensor& y, const Tensor& x, const Weight& weight, bool add,
          float scale);

}  // namespace bagel

#endif  // BAGEL_CUDA_GEMM_H_
