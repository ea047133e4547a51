#include <algorithm>
#include <cmath>

#include "cuda/attention_decode.h"
#include "cuda/kv_pages.cuh"
#include "cuda/launch.h"
#include "cuda/ptx.cuh"
#include "cuda/spans.cuh"
#include "cuda/values.cuh"

namespace bagel {
namespace {

constexpr int kHead = 128, kThreads = 128, kWarps = kThreads / 32;
constexpr int kMaxGroup = 8;
constexpr int kKeys = 64;              // taken together
constexpr int kLanes = 8;              // that share a key
constexpr int kDims = kHead / kLanes;  // of a lane
constexpr int64_t kMaxSplits = 64;

// What a block found: for [row][head][split] the largest score, the sum of the weights and, times
// kHead, the weighted values.
struct Partials {
  float* largest;
  float* total;
  float* values;
  int heads;
  int splits;

  __device__ int64_t Index(int row, int head, int split) const {
    return (static_cast<int64_t>(row) * heads + head) * splits + split;
  }
};

// Scores of keys [first, first + count) for all heads of a group, times `scale`: scores
// [kMaxGroup][kKeys]. queries [kMaxGroup][kHead]. -inf behind `count`.
__device__ inline void ScoreKeys(float (&scores)[kMaxGroup][kKeys],
                                 const float (&queries)[kMaxGroup][kHead], const __half* keys,
                                 int count, int group, float scale) {
  const int part = static_cast<int>(threadIdx.x % kLanes);
  for (int key = static_cast<int>(threadIdx.x / kLanes); key < kKeys; key += kThreads / kLanes) {
    float values[kDims];
    if (key < count) {
      const __half* from = keys + key * kHead + part * 8;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float eight[8];
        LoadValues<8>(from + half * kHead / 2, eight);
#pragma unroll
        for (int i = 0; i < 8; ++i) values[8 * half + i] = eight[i];
      }
    } else {
#pragma unroll
      for (float& value : values) value = 0;
    }
    for (int head = 0; head < group; ++head) {
      float dot = 0;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float eight[8];
        LoadValues<8>(&queries[head][half * kHead / 2 + part * 8], eight);
#pragma unroll
        for (int i = 0; i < 8; ++i) dot += values[8 * half + i] * eight[i];
      }
#pragma unroll
      for (int offset = kLanes / 2; offset > 0; offset /= 2)
        dot += __shfl_xor_sync(0xFFFFFFFFu, dot, offset);
      if (part == 0) scores[head][key] = key < count ? dot * scale : -INFINITY;
    }
  }
}

__device__ inline float WarpMax(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2)
    value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFu, value, offset));
  return value;
}

// Grid: splits, kv heads, rows.
template <typename Q>
__global__ void __launch_bounds__(kThreads)
    DecodeKernel(Partials partials, View<const Q> q, KvPages cache, SpanTables tables, int group,
                 float scale) {
  alignas(16) __shared__ float queries[kMaxGroup][kHead];
  alignas(16) __shared__ float scores[kMaxGroup][kKeys];
  __shared__ float largest[kMaxGroup], total[kMaxGroup], factors[kMaxGroup];
  __shared__ float halves[kMaxGroup][kHead];
  const int split = static_cast<int>(blockIdx.x), kv_head = static_cast<int>(blockIdx.y);
  const DeviceSpan span = tables.spans[blockIdx.z];
  const int row = static_cast<int>(RowOf(span, 0)), thread = static_cast<int>(threadIdx.x);
  const int keys = KeysOf(span, 0);
  // Multiples of kKeys, so that what is taken together lies in one page.
  const int splits = partials.splits;
  const int share = ((keys + splits - 1) / splits + kKeys - 1) / kKeys * kKeys;
  const int begin = split * share, end = begin + share < keys ? begin + share : keys;
  if (begin >= end) {
    if (thread < group) partials.total[partials.Index(row, kv_head * group + thread, split)] = 0;
    return;
  }
  for (int i = thread; i < group * kHead; i += kThreads)
    queries[i / kHead][i % kHead] =
        ToFloat(*q.At(row, static_cast<int64_t>(kv_head) * group * kHead + i));
  if (thread < kMaxGroup) {
    largest[thread] = -INFINITY;
    total[thread] = 0;
  }
  __syncthreads();

  const int warp = thread / 32, lane = thread % 32;
  const int dim = thread % (kHead / 2) * 2, odd = thread / (kHead / 2);  // keys of one parity
  float sums[kMaxGroup][2] = {};
  for (int first = begin; first < end; first += kKeys) {
    const int count = end - first < kKeys ? end - first : kKeys;
    const int page = PageOf(tables, span, first);
    const int place =
        (kv_head * static_cast<int>(kKvPageTokens) + first % static_cast<int>(kKvPageTokens)) *
        kHead;
    ScoreKeys(scores, queries, cache.KeyPage(page) + place, count, group, scale);
    __syncthreads();
    for (int head = warp; head < group; head += kWarps) {
      const float a = scores[head][lane], b = scores[head][lane + 32];
      const float before = largest[head], next = fmaxf(before, WarpMax(fmaxf(a, b)));
      const float weight_a = FastExp2(a - next), weight_b = FastExp2(b - next);
      scores[head][lane] = weight_a;
      scores[head][lane + 32] = weight_b;
      const float sum = WarpSum(weight_a + weight_b);
      __syncwarp();
      if (lane == 0) {
        const float factor = FastExp2(before - next);
        largest[head] = next;
        factors[head] = factor;
        total[head] = total[head] * factor + sum;
      }
    }
    __syncthreads();
#pragma unroll
    for (int head = 0; head < kMaxGroup; ++head) {
      const float factor = head < group ? factors[head] : 0.0f;
      sums[head][0] *= factor;
      sums[head][1] *= factor;
    }
    const __half* values = cache.ValuePage(page) + place + dim;
    for (int key = odd; key < count; key += 2) {
      const float2 pair = __half22float2(*reinterpret_cast<const __half2*>(values + key * kHead));
#pragma unroll
      for (int head = 0; head < kMaxGroup; ++head) {
        if (head >= group) continue;
        sums[head][0] += scores[head][key] * pair.x;
        sums[head][1] += scores[head][key] * pair.y;
      }
    }
    __syncthreads();
  }

#pragma unroll
  for (int head = 0; head < kMaxGroup; ++head) {
    if (head >= group || odd == 0) continue;
    halves[head][dim] = sums[head][0];
    halves[head][dim + 1] = sums[head][1];
  }
  __syncthreads();
#pragma unroll
  for (int head = 0; head < kMaxGroup; ++head) {
    if (head >= group || odd != 0) continue;
    const int64_t index = partials.Index(row, kv_head * group + head, split);
    partials.values[index * kHead + dim] = sums[head][0] + halves[head][dim];
    partials.values[index * kHead + dim + 1] = sums[head][1] + halves[head][dim + 1];
  }
  if (thread < group) {
    const int64_t index = partials.Index(row, kv_head * group + thread, split);
    partials.largest[index] = largest[thread];
    partials.total[index] = total[thread];
  }
}

// Puts the splits of one head of a row together. Grid: heads, rows.
template <typename Y>
__global__ void __launch_bounds__(kHead) CombineKernel(View<Y> y, Partials partials) {
  __shared__ float weights[kMaxSplits];
  const int row = static_cast<int>(blockIdx.y), head = static_cast<int>(blockIdx.x);
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t first = partials.Index(row, head, 0);
  float largest = -INFINITY;
  for (int split = 0; split < partials.splits; ++split)
    if (partials.total[first + split] > 0)
      largest = fmaxf(largest, partials.largest[first + split]);
  for (int split = thread; split < partials.splits; split += kHead)
    weights[split] = partials.total[first + split] > 0
                         ? FastExp2(partials.largest[first + split] - largest)
                         : 0.0f;
  __syncthreads();
  float sum = 0, total = 0;
  for (int split = 0; split < partials.splits; ++split) {
    const float weight = weights[split];
    if (weight == 0) continue;
    total += weight * partials.total[first + split];
    sum += weight * partials.values[(first + split) * kHead + thread];
  }
  *y.At(row, static_cast<int64_t>(head) * kHead + thread) = FromFloat<Y>(sum / total);
}

}  // namespace

bool DecodeTakes(const Tensor& q, const KvLayer& cache, const StepTables& tables) {
  return tables.single_rows && cache.head_dim == kHead &&
         q.cols / kHead / cache.kv_heads <= kMaxGroup;
}

void AttendDecode(CudaContext& context, const Tensor& y, const Tensor& q, const KvLayer& cache,
                  const StepTables& tables) {
  constexpr int64_t kBlocks = 256;  // about two a multiprocessor on large cards
  const int64_t heads = q.cols / kHead, rows = tables.span_count;
  const int64_t splits = std::clamp<int64_t>(kBlocks / (cache.kv_heads * rows), 1, kMaxSplits);
  const int64_t count = rows * heads * splits;
  auto* memory = static_cast<float*>(
      context.Scratch(static_cast<size_t>(count * (kHead + 2)) * sizeof(float)));
  const Partials partials{memory + count * kHead, memory + count * (kHead + 1), memory,
                          static_cast<int>(heads), static_cast<int>(splits)};
  const float scale = 1.4426950408889634f / std::sqrt(static_cast<float>(kHead));  // log2(e)
  const auto row_count = static_cast<unsigned>(rows);
  WithType(q.dtype, [&](auto type) {
    using Q = decltype(type);
    const dim3 grid(static_cast<unsigned>(splits), static_cast<unsigned>(cache.kv_heads),
                    row_count);
    Launch(context.stream(), {grid, dim3(kThreads)}, DecodeKernel<Q>, partials, ViewOf<const Q>(q),
           PagesOf(cache), SpanTablesOf(tables), static_cast<int>(heads / cache.kv_heads), scale);
  });
  WithType(y.dtype, [&](auto type) {
    using Y = decltype(type);
    Launch(context.stream(), {dim3(static_cast<unsigned>(heads), row_count), dim3(kHead)},
           CombineKernel<Y>, ViewOf<Y>(y), partials);
  });
}

}  // namespace bagel
