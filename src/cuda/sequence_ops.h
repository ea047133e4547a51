// Rows of tables, rotary positions, and keys and values on their way into the cache.
#ifndef BAGEL_CUDA_SEQUENCE_OPS_H_
#define BAGEL_CUDA_SEQUENCE_OPS_H_

#include <cstdint>
#include <vector>

#include "cuda/context.h"
#include "cuda/step_tables.h"
#include "tensor/ops.h"

namespace bagel {

// y[r] = rows[r], or += it; `rows` [y.rows, y.cols] f32 on the device or pinned.
void CudaTakeRows(cudaStream_t stream, const Tensor& y, const float* rows, bool add);
// The same with rows ids[r] of a table on the device; `ids` on the device.
void CudaGatherRows(cudaStream_t stream, const Tensor& y, const Weight& table, const int32_t* ids,
                    bool add);

// theta^(-2i/head_dim) for the pairs (i, i + head_dim / 2), rounded to f32 as the reference does.
std::vector<float> RopeFrequencies(int64_t head_dim, float theta);
// See Ops::HeadNormRope; `frequencies` [head_dim / 2] and `positions` [x.rows] on the device.
void CudaHeadNormRope(cudaStream_t stream, const Tensor& x, const float* weight, int64_t head_dim,
                      float eps, const float* frequencies, const int32_t* positions);

// See Ops::KvAppend; the cache is f16 or kI8.
void CudaKvAppend(cudaStream_t stream, const KvLayer& cache, const Tensor& k, const Tensor& v,
                  const StepTables& tables);

// What Ops::NormRopeAttention does before the attention, for one of its parts; what k becomes is in
// the cache alone.
void CudaNormRopeAppend(const CudaContext& context, const KvLayer& cache, const Tensor& q,
                        const Tensor& k, const Tensor& v, const HeadNorms& norms, float eps,
                        const float* frequencies, const StepTables& tables);

}  // namespace bagel

#endif  // BAGEL_CUDA_SEQUENCE_OPS_H_
