// What products of many rows take: rows and weights as dense f16, padded with columns of zeros.
#ifndef BAGEL_CUDA_UNPACK_H_
#define BAGEL_CUDA_UNPACK_H_

#include <cuda_runtime.h>

#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace bagel {

// x, f16 or f32 of any alignment, as `to`: dense f16 of as many rows and at least as many columns.
void UnpackRows(cudaStream_t stream, const Tensor& to, const Tensor& x);

// Rows [first, first + to.rows) of any weight that was placed.
void UnpackWeight(cudaStream_t stream, const Tensor& to, const Weight& weight, int64_t first);

}  // namespace bagel

#endif  // BAGEL_CUDA_UNPACK_H_
