// The best values of long rows, found where the rows lie.
#ifndef BAGEL_CUDA_BEST_VALUES_H_
#define BAGEL_CUDA_BEST_VALUES_H_

#include "base/best_values.h"
#include "cuda/context.h"
#include "tensor/tensor.h"

namespace bagel {

// See Ops::FindBest; `best` is pinned memory.
void CudaFindBest(CudaContext& context, BestValues* best, const Tensor& x);

}  // namespace bagel

#endif  // BAGEL_CUDA_BEST_VALUES_H_
