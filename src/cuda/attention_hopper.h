// Attention for sm_90a: products of warpgroups while others copy and soften.
#ifndef BAGEL_CUDA_ATTENTION_HOPPER_H_
#define BAGEL_CUDA_ATTENTION_HOPPER_H_

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/step_tables.h"
#include "cuda/tile_map.h"
#include "tensor/ops.h"

namespace bagel {

// The shapes that AttendMma and AttendFullMma take. `maps` are the cache's, or null: then threads
// copy what the multiprocessor else copies by itself.
void AttendHopper(cudaStream_t stream, const Tensor& y, const Tensor& q, const KvLayer& cache,
                  const StepTables& tables, const KvTileMaps* maps);
void AttendFullHopper(cudaStream_t stream, const Tensor& y, const Tensor& q, const Tensor& k,
                      const Tensor& v, int64_t heads);

}  // namespace bagel

#endif  // BAGEL_CUDA_ATTENTION_HOPPER_H_
