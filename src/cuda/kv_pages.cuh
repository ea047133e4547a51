// The cache of one layer in a kernel. A page holds [kv_heads][kKvPageTokens][head_dim] f16.
#ifndef BAGEL_CUDA_KV_PAGES_CUH_
#define BAGEL_CUDA_KV_PAGES_CUH_

#include <cuda_fp16.h>

#include "tensor/ops.h"

namespace bagel {

struct KvPages {
  __half *k, *v, *scratch_k, *scratch_v;
  int pages;
  int kv_heads;
  int head_dim;

  __device__ __half* KeyPage(int page) const { return Page(k, scratch_k, page); }
  __device__ __half* ValuePage(int page) const { return Page(v, scratch_v, page); }

 private:
  __device__ __half* Page(__half* kept, __half* scratch, int page) const {
    const int64_t size = static_cast<int64_t>(kv_heads) * kKvPageTokens * head_dim;
    return page < pages ? kept + page * size : scratch + (page - pages) * size;
  }
};

inline KvPages PagesOf(const KvLayer& cache) {
  CHECK(cache.dtype == DType::kF16);
  return {static_cast<__half*>(cache.k),         static_cast<__half*>(cache.v),
          static_cast<__half*>(cache.scratch_k), static_cast<__half*>(cache.scratch_v),
          static_cast<int>(cache.pages),         static_cast<int>(cache.kv_heads),
          static_cast<int>(cache.head_dim)};
}

}  // namespace bagel

#endif  // BAGEL_CUDA_KV_PAGES_CUH_
