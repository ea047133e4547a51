// Attention of steps whose spans are single rows: the context is what there is to read, so it is
// split over many blocks.
#ifndef BAGEL_CUDA_ATTENTION_DECODE_H_
#define BAGEL_CUDA_ATTENTION_DECODE_H_

#include "cuda/context.h"
#include "cuda/step_tables.h"
#include "tensor/ops.h"

namespace bagel {

// Whether AttendDecode takes these shapes: heads of 128, at most 7 to a kv head.
bool DecodeTakes(const Tensor& q, const Tensor& k, const Tensor& v, const KvLayer& cache,
                 const StepTables& tables);

// See Ops::NormRopeAttention, for one part that is the whole step; `frequencies` [head_dim / 2] on
// the device; q, k, v and y f16 or f32. The launches do not depend on the contexts' lengths.
void AttendDecode(CudaContext& context, const Tensor& y, const KvLayer& cache, const Tensor& q,
                  const Tensor& k, const Tensor& v, const HeadNorms& norms, float eps,
                  const float* frequencies, const StepTables& tables);

}  // namespace bagel

#endif  // BAGEL_CUDA_ATTENTION_DECODE_H_
