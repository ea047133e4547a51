// Pages of kI8 as f16, for kernels that read nothing else.
#ifndef BAGEL_CUDA_KV_UNPACK_H_
#define BAGEL_CUDA_KV_UNPACK_H_

#include <cuda_runtime.h>

#include <cstddef>

#include "cuda/step_tables.h"
#include "tensor/ops.h"

namespace bagel {

struct UnpackedPages {
  KvLayer cache;
  StepTables tables;
};

// The pages that a step's spans name, one after the other, and its tables with their new numbers.
// `memory` is UnpackedBytes of the device, a multiple of 16; cache.head_dim is one too.
UnpackedPages UnpackPages(cudaStream_t stream, const KvLayer& cache, const StepTables& tables,
                          void* memory);
size_t UnpackedBytes(const KvLayer& cache, const StepTables& tables);

}  // namespace bagel

#endif  // BAGEL_CUDA_KV_UNPACK_H_
