// Attention for wide heads on the tensor cores of every card from the V100 on.
#ifndef BAGEL_CUDA_ATTENTION_WIDE_H_
#define BAGEL_CUDA_ATTENTION_WIDE_H_

#include <cuda_runtime.h>

#include <cstdint>

#include "tensor/tensor.h"

namespace bagel {

// q, k and v f16, y f16 or f32, rows and heads 16-byte aligned, heads of up to 512.
void AttendFullWide(cudaStream_t stream, const Tensor& y, const Tensor& q, const Tensor& k,
                    const Tensor& v, int64_t heads);

}  // namespace bagel

#endif  // BAGEL_CUDA_ATTENTION_WIDE_H_
