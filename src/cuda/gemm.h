// Products of many rows on tensor cores.
#ifndef BAGEL_CUDA_GEMM_H_
#define BAGEL_CUDA_GEMM_H_

#include <cuda_runtime.h>

#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace bagel {

// Whether Gemm takes this: x f16, columns in eights where the weight is f16 and else in sixteens,
// both 16-byte aligned.
bool GemmTakes(const Tensor& x, const Weight& weight);

// See CudaLinear::Run.
void Gemm(cudaStream_t stream, const Tensor& y, const Tensor& x, const Weight& weight, bool add,
          float scale);

// Rows [first, first + count) of such a weight as dense f16 [count, in] at `values`.
void UnpackWeight(cudaStream_t stream, void* values, const Weight& weight, int64_t first,
                  int64_t count);

}  // namespace bagel

#endif  // BAGEL_CUDA_GEMM_H_
