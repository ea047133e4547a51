// Attention for sm_80 and newer: fragments stay in registers, tiles arrive while others are worked
// on.
#ifndef BAGEL_CUDA_ATTENTION_MMA_H_
#define BAGEL_CUDA_ATTENTION_MMA_H_

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/step_tables.h"
#include "tensor/ops.h"

namespace bagel {

// The shapes that AttendWmma and AttendFullWmma take.
void AttendMma(cudaStream_t stream, const Tensor& y, const Tensor& q, const KvLayer& cache,
               const StepTables& tables);
void AttendFullMma(cudaStream_t stream, const Tensor& y, const Tensor& q, const Tensor& k,
                   const Tensor& v, int64_t heads);

}  // namespace bagel

#endif  // BAGEL_CUDA_ATTENTION_MMA_H_
