// Products of any shape, value by value.
#ifndef BAGEL_CUDA_LINEAR_PLAIN_H_
#define BAGEL_CUDA_LINEAR_PLAIN_H_

#include <cuda_runtime.h>

#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace bagel {

// See CudaLinear::Run.
void LinearPlain(cudaStream_t stream, const Tensor& y, const Tensor& x, const Weight& weight,
                 bool add, float scale);

}  // namespace bagel

#endif  // BAGEL_CUDA_LINEAR_PLAIN_H_
