// Attention: which kernels take which shapes.
#ifndef BAGEL_CUDA_ATTENTION_H_
#define BAGEL_CUDA_ATTENTION_H_

#include <cstdint>

#include "cuda/context.h"
#include "cuda/step_tables.h"
#include "cuda/tile_map.h"
#include "tensor/ops.h"

namespace bagel {

class CudaAttention {
 public:
  explicit CudaAttention(CudaContext& context) : context_(context), maps_(context) {}

  // See Ops::Attention and Ops::FullAttention. q, k, v and y are f16 or f32 and are multiplied as
  // f16 with f32 sums; the cache is f16 or kI8.
  void Attend(const Tensor& y, const Tensor& q, const KvLayer& cache, const StepTables& tables);
  void AttendFull(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                  int64_t heads);

 private:
  CudaContext& context_;
  TileMaps maps_;
};

}  // namespace bagel

#endif  // BAGEL_CUDA_ATTENTION_H_
