// Attention on the tensor cores of every card from the V100 on.
#ifndef BAGEL_CUDA_ATTENTION_WMMA_H_
#define BAGEL_CUDA_ATTENTION_WMMA_H_

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/step_tables.h"
#include "tensor/ops.h"

namespace bagel {

// q f16, y f16 or f32, rows 16-byte aligned, heads of 128.
void AttendWmma(cudaStream_t stream, const Tensor& y, const Tensor& q, const KvLayer& cache,
                const StepTables& tables);
// q, k and v f16 with the same stride, y f16 or f32, rows and heads 16-byte aligned, heads of up to
// 128.
void AttendFullWmma(cudaStream_t stream, const Tensor& y, const Tensor& q, const Tensor& k,
                    const Tensor& v, int64_t heads);

}  // namespace bagel

#endif  // BAGEL_CUDA_ATTENTION_WMMA_H_
