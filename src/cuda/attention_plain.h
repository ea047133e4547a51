// Attention for heads of any size: one warp a query, without tensor cores.
#ifndef BAGEL_CUDA_ATTENTION_PLAIN_H_
#define BAGEL_CUDA_ATTENTION_PLAIN_H_

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/step_tables.h"
#include "tensor/ops.h"

namespace bagel {

// Heads of up to 512.
void AttendPlain(cudaStream_t stream, const Tensor& y, const Tensor& q, const KvLayer& cache,
                 const StepTables& tables);
void AttendFullPlain(cudaStream_t stream, const Tensor& y, const Tensor& q, const Tensor& k,
                     const Tensor& v, int64_t heads);

}  // namespace bagel

#endif  // BAGEL_CUDA_ATTENTION_PLAIN_H_
