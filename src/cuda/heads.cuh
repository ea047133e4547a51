// A head in the registers of a warp: from tensors, to tensors and to the cache.
#ifndef BAGEL_CUDA_HEADS_CUH_
#define BAGEL_CUDA_HEADS_CUH_

#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "cuda/kv_pages.cuh"
#include "cuda/values.cuh"

namespace bagel {

// A lane has the pairs (i, i + head_dim / 2) for kPairs neighbouring i, zeros behind the last:
// heads of up to 64 * kPairs. With kPairs = 2 heads are a multiple of four long and lie, as all of
// a lane's values do, at multiples of two elements.
template <int kPairs>
struct Head {
  float low[kPairs], high[kPairs];

  __device__ static int Pair(int j) { return static_cast<int>(threadIdx.x % 32) * kPairs + j; }
};

// Two neighbours in memory.
template <typename T>
struct alignas(2 * sizeof(T)) Two {
  T first, second;
};

template <int kPairs, typename From>
__device__ __forceinline__ Head<kPairs> LoadHead(const From* from, int head_dim) {
  Head<kPairs> head = {};
  const int half = head_dim / 2;
  if constexpr (kPairs == 2) {
    const int i = head.Pair(0);
    if (i >= half) return head;
    const auto low = *reinterpret_cast<const Two<From>*>(from + i);
    const auto high = *reinterpret_cast<const Two<From>*>(from + i + half);
    return {{ToFloat(low.first), ToFloat(low.second)}, {ToFloat(high.first), ToFloat(high.second)}};
  } else {
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const int i = head.Pair(j);
      if (i >= half) continue;
      head.low[j] = ToFloat(from[i]);
      head.high[j] = ToFloat(from[i + half]);
    }
    return head;
  }
}

// Each value as `convert` makes it.
template <int kPairs, typename To, typename Convert>
__device__ __forceinline__ void StoreHead(To* to, const Head<kPairs>& head, int head_dim,
                                          const Convert& convert) {
  const int half = head_dim / 2;
  if constexpr (kPairs == 2) {
    const int i = head.Pair(0);
    if (i >= half) return;
    *reinterpret_cast<Two<To>*>(to + i) = {convert(head.low[0]), convert(head.low[1])};
    *reinterpret_cast<Two<To>*>(to + i + half) = {convert(head.high[0]), convert(head.high[1])};
  } else {
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const int i = head.Pair(j);
      if (i >= half) continue;
      to[i] = convert(head.low[j]);
      to[i + half] = convert(head.high[j]);
    }
  }
}
template <int kPairs, typename To>
__device__ __forceinline__ void StoreHead(To* to, const Head<kPairs>& head, int head_dim) {
  StoreHead(to, head, head_dim, [](float value) { return FromFloat<To>(value); });
}

// To the cache.
template <int kPairs>
__device__ __forceinline__ void StoreHead(const KvRow<__half>& row, const Head<kPairs>& head,
                                          int head_dim) {
  StoreHead(row.values, head, head_dim);
}
template <int kPairs>
__device__ __forceinline__ void StoreHead(const KvRow<int8_t>& row, const Head<kPairs>& head,
                                          int head_dim) {
  constexpr float kMost = 127, kMostScale = 515.5f;  // their product is in f16's range
  float largest = 0;
#pragma unroll
  for (int j = 0; j < kPairs; ++j)
    largest = fmaxf(largest, fmaxf(fabsf(head.low[j]), fabsf(head.high[j])));
  const __half scale = __float2half_rn(fminf(WarpMax(largest) / kMost, kMostScale));
  if (threadIdx.x % 32 == 0) *row.scale = scale;
  const float inverse = __half2float(scale) > 0 ? 1 / __half2float(scale) : 0.0f;
  StoreHead(row.values, head, head_dim, [&](float value) {
    return static_cast<int8_t>(fminf(fmaxf(rintf(value * inverse), -kMost), kMost));
  });
}

// What another row of the cache's form holds.
template <typename T>
__device__ __forceinline__ void CopyRow(const KvRow<T>& to, const KvRow<T>& from, int head_dim) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  for (int i = lane; i < head_dim; i += 32) to.values[i] = from.values[i];
  if constexpr (std::is_same_v<T, int8_t>)
    if (lane == 0) *to.scale = *from.scale;
}

}  // namespace bagel

#endif  // BAGEL_CUDA_HEADS_CUH_
