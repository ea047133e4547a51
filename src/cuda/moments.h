// GroupNorm's statistics.
#ifndef BAGEL_CUDA_MOMENTS_H_
#define BAGEL_CUDA_MOMENTS_H_

#include "cuda/context.h"
#include "tensor/tensor.h"

namespace bagel {

// See Ops::GroupMoments.
void CudaGroupMoments(CudaContext& context, const Tensor& y, const Tensor& x, int64_t groups);

}  // namespace bagel

#endif  // BAGEL_CUDA_MOMENTS_H_
