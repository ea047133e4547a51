// The cache of one layer in a kernel, see KvLayer.
#ifndef BAGEL_CUDA_KV_PAGES_CUH_
#define BAGEL_CUDA_KV_PAGES_CUH_

#include <cuda_fp16.h>

#include <type_traits>

#include "cuda/values.cuh"
#include "cuda/weight_chunks.cuh"
#include "tensor/ops.h"

namespace bagel {

// One token's key or value of one head. f16 has no scale.
template <typename T>
struct KvRow {
  T* values;
  __half* scale;

  __device__ float operator[](int i) const {
    if constexpr (std::is_same_v<T, int8_t>)
      return static_cast<float>(values[i]) * __half2float(*scale);
    else
      return __half2float(values[i]);
  }
};

// T: __half or int8_t.
template <typename T>
struct KvPagesOf {
  T *k, *v, *scratch_k, *scratch_v;
  int pages;
  int kv_heads;
  int head_dim;

  __device__ T* KeyPage(int page) const { return Page(k, scratch_k, page); }
  __device__ T* ValuePage(int page) const { return Page(v, scratch_v, page); }
  // Those of a page of int8_t.
  __device__ __half* Scales(T* page) const {
    return reinterpret_cast<__half*>(page + Heads() * head_dim);
  }
  // A head's row for the token at `slot` of a page.
  __device__ KvRow<T> Row(T* page, int head, int slot) const {
    const int place = head * static_cast<int>(kKvPageTokens) + slot;
    return {page + static_cast<int64_t>(place) * head_dim, Scales(page) + place};
  }

 private:
  // Of all tokens of a page.
  __device__ int64_t Heads() const { return static_cast<int64_t>(kv_heads) * kKvPageTokens; }
  __device__ T* Page(T* kept, T* scratch, int page) const {
    constexpr int kScale = std::is_same_v<T, int8_t> ? 2 : 0;  // bytes
    const int64_t size = Heads() * (head_dim + kScale);
    return page < pages ? kept + page * size : scratch + (page - pages) * size;
  }
};

using KvPages = KvPagesOf<__half>;

// Sixteen bytes of a row, on their way to f16 in shared memory or elsewhere.
template <typename T>
struct KvChunk;

template <>
struct KvChunk<__half> {
  static constexpr int kValues = 8;
  uint4 bits;

  __device__ static KvChunk Zero() { return {make_uint4(0, 0, 0, 0)}; }
  __device__ static KvChunk Load(const KvRow<__half>& row, int chunk) {
    return {reinterpret_cast<const uint4*>(row.values)[chunk]};
  }
  __device__ void Store(__half* to) const { *reinterpret_cast<uint4*>(to) = bits; }
};

template <>
struct KvChunk<int8_t> {
  static constexpr int kValues = 16;
  uint4 bits;
  __half scale;

  __device__ static KvChunk Zero() { return {make_uint4(0, 0, 0, 0), __float2half_rn(0.0f)}; }
  __device__ static KvChunk Load(const KvRow<int8_t>& row, int chunk) {
    return {reinterpret_cast<const uint4*>(row.values)[chunk], *row.scale};
  }
  __device__ void Store(__half* to) const {
    unsigned words[kValues / 2];
#pragma unroll
    for (int i = 0; i < kValues / 2; ++i) {
      const __half2 pair = __hmul2(Int8Chunks::Halves(bits, i, nullptr), __half2half2(scale));
      words[i] = *reinterpret_cast<const unsigned*>(&pair);
    }
    auto* eights = reinterpret_cast<uint4*>(to);
    eights[0] = make_uint4(words[0], words[1], words[2], words[3]);
    eights[1] = make_uint4(words[4], words[5], words[6], words[7]);
  }
};

template <typename T>
KvPagesOf<T> PagesOf(const KvLayer& cache) {
  CHECK(cache.dtype == (std::is_same_v<T, int8_t> ? DType::kI8 : DType::kF16));
  return {static_cast<T*>(cache.k),         static_cast<T*>(cache.v),
          static_cast<T*>(cache.scratch_k), static_cast<T*>(cache.scratch_v),
          static_cast<int>(cache.pages),    static_cast<int>(cache.kv_heads),
          static_cast<int>(cache.head_dim)};
}

// Calls body with the pages in their type.
template <typename Body>
void WithPages(const KvLayer& cache, const Body& body) {
  if (cache.dtype == DType::kI8)
    body(PagesOf<int8_t>(cache));
  else
    body(PagesOf<__half>(cache));
}

}  // namespace bagel

#endif  // BAGEL_CUDA_KV_PAGES_CUH_
