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

constexpr int kHead = 128, kThreads = 256, kWarps = kThreads / 32;
constexpr int kMaxGroup = 8;
constexpr int kKeys = 64;                        // taken together
constexpr int kParts = kThreads / kKeys;         // threads that share a key's score
constexpr int kStride = kHead + 32;              // of a key in shared memory, for the banks
constexpr int kShares = kThreads / (kHead / 2);  // parts of the keys that are summed apart
constexpr int64_t kMaxSplits = 64;

// What a block found: for [row][head][split] the largest score, the sum of the weights and, times
// kHead, the weighted values. counters [row][kv head]: blocks that are done; 0 before and after.
struct Partials {
  float* largest;
  float* total;
  float* values;
  int* counters;
  int heads;
  int splits;

  __device__ int64_t Index(int row, int head, int split) const {
    return (static_cast<int64_t>(row) * heads + head) * splits + split;
  }
};

struct Shared {
  alignas(16) float queries[kMaxGroup][kHead];
  alignas(16) float scores[kMaxGroup][kKeys];
  alignas(16) __half keys[kKeys][kStride];  // then the sums of kShares threads
  alignas(16) __half values[kKeys][kStride];
  float largest[kMaxGroup], total[kMaxGroup], factors[kMaxGroup];
  bool last;
};
static_assert(sizeof(Shared::keys) >= sizeof(float) * kShares * kMaxGroup * kHead);

// Keys and values [first, first + count) of a page into shared memory, zeros behind them.
__device__ __forceinline__ void LoadKeys(Shared& shared, const __half* keys, const __half* values,
                                         int count) {
  constexpr int kChunks = kHead / 8, kTurns = kKeys * kChunks / kThreads;
  uint4 loaded[2][kTurns];
#pragma unroll
  for (int turn = 0; turn < kTurns; ++turn) {
    const int i = static_cast<int>(threadIdx.x) + turn * kThreads;
    const bool valid = i / kChunks < count;
    loaded[0][turn] = valid ? reinterpret_cast<const uint4*>(keys)[i] : make_uint4(0, 0, 0, 0);
    loaded[1][turn] = valid ? reinterpret_cast<const uint4*>(values)[i] : make_uint4(0, 0, 0, 0);
  }
#pragma unroll
  for (int turn = 0; turn < kTurns; ++turn) {
    const int i = static_cast<int>(threadIdx.x) + turn * kThreads;
    *reinterpret_cast<uint4*>(&shared.keys[i / kChunks][i % kChunks * 8]) = loaded[0][turn];
    *reinterpret_cast<uint4*>(&shared.values[i / kChunks][i % kChunks * 8]) = loaded[1][turn];
  }
}

// Scores of the keys for all heads of a group, times `scale`; -inf behind `count`. A thread takes
// every kParts-th eight of a key's dimensions.
__device__ __forceinline__ void ScoreKeys(Shared& shared, int count, int group, float scale) {
  const int thread = static_cast<int>(threadIdx.x), key = thread / kParts, part = thread % kParts;
  float dots[kMaxGroup] = {};
#pragma unroll
  for (int eight = 0; eight < kHead / 8; eight += kParts) {
    const int dim = (eight + part) * 8;
    float values[8];
    LoadValues<8>(&shared.keys[key][dim], values);
#pragma unroll
    for (int head = 0; head < kMaxGroup; ++head) {
      if (head >= group) break;
      float query[8];
      LoadValues<8>(&shared.queries[head][dim], query);
#pragma unroll
      for (int i = 0; i < 8; ++i) dots[head] += values[i] * query[i];
    }
  }
#pragma unroll
  for (int head = 0; head < kMaxGroup; ++head) {
    if (head >= group) break;
    float dot = dots[head];
#pragma unroll
    for (int offset = kParts / 2; offset > 0; offset /= 2)
      dot += __shfl_xor_sync(0xFFFFFFFFu, dot, offset);
    if (part == 0) shared.scores[head][key] = key < count ? dot * scale : -INFINITY;
  }
}

__device__ inline float WarpMax(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2)
    value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFu, value, offset));
  return value;
}

// Scores become weights; a warp takes a head.
__device__ __forceinline__ void WeighKeys(Shared& shared, int group) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  for (int head = static_cast<int>(threadIdx.x / 32); head < group; head += kWarps) {
    float* scores = shared.scores[head];
    const float a = scores[lane], b = scores[lane + 32];
    const float before = shared.largest[head], next = fmaxf(before, WarpMax(fmaxf(a, b)));
    const float weight_a = FastExp2(a - next), weight_b = FastExp2(b - next);
    scores[lane] = weight_a;
    scores[lane + 32] = weight_b;
    const float sum = WarpSum(weight_a + weight_b);
    __syncwarp();
    if (lane != 0) continue;
    const float factor = FastExp2(before - next);
    shared.largest[head] = next;
    shared.factors[head] = factor;
    shared.total[head] = shared.total[head] * factor + sum;
  }
}

// Two dimensions of every head, over a thread's share of the keys.
struct Sums {
  float of[kMaxGroup][2] = {};

  __device__ __forceinline__ void Add(const Shared& shared, int group) {
    const int thread = static_cast<int>(threadIdx.x), dim = thread % (kHead / 2) * 2;
    const int share = thread / (kHead / 2);
#pragma unroll
    for (int head = 0; head < kMaxGroup; ++head) {
      if (head >= group) break;
      of[head][0] *= shared.factors[head];
      of[head][1] *= shared.factors[head];
    }
    constexpr int kOwn = kKeys / kShares;
#pragma unroll
    for (int key = share * kOwn; key < (share + 1) * kOwn; key += 4) {
      float2 values[4];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        values[i] = __half22float2(*reinterpret_cast<const __half2*>(&shared.values[key + i][dim]));
#pragma unroll
      for (int head = 0; head < kMaxGroup; ++head) {
        if (head >= group) break;
        const float4 weights = *reinterpret_cast<const float4*>(&shared.scores[head][key]);
        const float four[4] = {weights.x, weights.y, weights.z, weights.w};
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          of[head][0] += four[i] * values[i].x;
          of[head][1] += four[i] * values[i].y;
        }
      }
    }
  }
};

// The sums of all shares of the keys to the partials.
__device__ __forceinline__ void StorePartials(Shared& shared, const Sums& sums,
                                              const Partials& partials, int row, int first_head,
                                              int split, int group) {
  const int thread = static_cast<int>(threadIdx.x);
  auto* shares = reinterpret_cast<float(*)[kMaxGroup][kHead]>(&shared.keys);
  const int dim = thread % (kHead / 2) * 2, share = thread / (kHead / 2);
#pragma unroll
  for (int head = 0; head < kMaxGroup; ++head) {
    if (head >= group) break;
    *reinterpret_cast<float2*>(&shares[share][head][dim]) =
        make_float2(sums.of[head][0], sums.of[head][1]);
  }
  __syncthreads();
  for (int i = thread; i < group * kHead; i += kThreads) {
    float sum = 0;
#pragma unroll
    for (int part = 0; part < kShares; ++part) sum += shares[part][i / kHead][i % kHead];
    partials.values[partials.Index(row, first_head + i / kHead, split) * kHead + i % kHead] = sum;
  }
  if (thread < group) {
    const int64_t index = partials.Index(row, first_head + thread, split);
    partials.largest[index] = shared.largest[thread];
    partials.total[index] = shared.total[thread];
  }
}

// Puts the first `count` splits of a group's heads together.
template <typename Y>
__device__ __forceinline__ void Combine(Shared& shared, const View<Y>& y, const Partials& partials,
                                        int row, int first_head, int count, int group) {
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32;
  auto& weights = shared.scores;  // [head][split]
  static_assert(kMaxSplits <= kKeys);
  for (int head = thread / 32; head < group; head += kWarps) {
    const int64_t first = partials.Index(row, first_head + head, 0);
    const float a = lane < count ? partials.largest[first + lane] : -INFINITY;
    const float b = lane + 32 < count ? partials.largest[first + lane + 32] : -INFINITY;
    const float largest = WarpMax(fmaxf(a, b));
    const float weight_a = FastExp2(a - largest), weight_b = FastExp2(b - largest);
    const float total =
        WarpSum((lane < count ? weight_a * partials.total[first + lane] : 0.0f) +
                (lane + 32 < count ? weight_b * partials.total[first + lane + 32] : 0.0f));
    weights[head][lane] = weight_a / total;
    weights[head][lane + 32] = weight_b / total;
  }
  __syncthreads();
  for (int i = thread; i < group * kHead / 4; i += kThreads) {
    const int head = 4 * i / kHead, dim = 4 * i % kHead;
    const float* values = partials.values + partials.Index(row, first_head + head, 0) * kHead + dim;
    float sums[4] = {};
#pragma unroll 16
    for (int split = 0; split < count; ++split) {
      const float4 four = *reinterpret_cast<const float4*>(values + split * kHead);
      const float weight = weights[head][split];
      sums[0] += weight * four.x, sums[1] += weight * four.y;
      sums[2] += weight * four.z, sums[3] += weight * four.w;
    }
    Y* to = y.At(row, static_cast<int64_t>(first_head) * kHead + 4 * i);
#pragma unroll
    for (int j = 0; j < 4; ++j) to[j] = FromFloat<Y>(sums[j]);
  }
}

// The block that is done last puts together what all found. Grid: splits, kv heads, rows.
template <typename Y, typename Q>
__global__ void __launch_bounds__(kThreads)
    DecodeKernel(View<Y> y, Partials partials, View<const Q> q, KvPages cache, SpanTables tables,
                 int group, float scale) {
  __shared__ Shared shared;
  const int split = static_cast<int>(blockIdx.x), kv_head = static_cast<int>(blockIdx.y);
  const int thread = static_cast<int>(threadIdx.x), first_head = kv_head * group;
  LetLaterKernelsStart();
  const DeviceSpan span = tables.spans[blockIdx.z];
  const int row = static_cast<int>(RowOf(span, 0));
  const int keys = KeysOf(span, 0);
  // Multiples of kKeys, so that what is taken together lies in one page.
  const int share = ((keys + partials.splits - 1) / partials.splits + kKeys - 1) / kKeys * kKeys;
  const int begin = split * share, end = begin + share < keys ? begin + share : keys;
  WaitForEarlierKernels();
  if (begin >= end) return;
  for (int i = thread; i < group * kHead; i += kThreads)
    shared.queries[i / kHead][i % kHead] =
        ToFloat(*q.At(row, static_cast<int64_t>(first_head) * kHead + i));
  if (thread < kMaxGroup) {
    shared.largest[thread] = -INFINITY;
    shared.total[thread] = 0;
  }

  Sums sums;
  for (int first = begin; first < end; first += kKeys) {
    const int count = end - first < kKeys ? end - first : kKeys;
    const int page = PageOf(tables, span, first);
    const int place =
        (kv_head * static_cast<int>(kKvPageTokens) + first % static_cast<int>(kKvPageTokens)) *
        kHead;
    LoadKeys(shared, cache.KeyPage(page) + place, cache.ValuePage(page) + place, count);
    __syncthreads();
    ScoreKeys(shared, count, group, scale);
    __syncthreads();
    WeighKeys(shared, group);
    __syncthreads();
    sums.Add(shared, group);
    __syncthreads();
  }
  StorePartials(shared, sums, partials, row, first_head, split, group);

  __threadfence();
  __syncthreads();
  const int splits = (keys + share - 1) / share;
  if (thread == 0) {
    int* counter = &partials.counters[row * static_cast<int>(gridDim.y) + kv_head];
    shared.last = atomicAdd(counter, 1) == splits - 1;
    if (shared.last) *counter = 0;
  }
  __syncthreads();
  if (!shared.last) return;
  __threadfence();
  Combine(shared, y, partials, row, first_head, splits, group);
}

}  // namespace

bool DecodeTakes(const Tensor& q, const KvLayer& cache, const StepTables& tables) {
  return tables.single_rows && cache.head_dim == kHead &&
         q.cols / kHead / cache.kv_heads <= kMaxGroup;
}

void AttendDecode(CudaContext& context, DeviceBuffer& counters, const Tensor& y, const Tensor& q,
                  const KvLayer& cache, const StepTables& tables) {
  constexpr int64_t kBlocks = 256;  // about two a multiprocessor on large cards
  const int64_t heads = q.cols / kHead, rows = tables.span_count;
  const int64_t splits = std::clamp<int64_t>(kBlocks / (cache.kv_heads * rows), 1, kMaxSplits);
  const int64_t count = rows * heads * splits;
  const size_t counter_bytes = static_cast<size_t>(tables.rows * cache.kv_heads) * sizeof(int);
  if (counters.bytes() < counter_bytes) {
    void* zeros = counters.Reserve(counter_bytes);
    CUDA_CHECK(cudaMemsetAsync(zeros, 0, counters.bytes(), context.stream()));
  }
  auto* memory = static_cast<float*>(
      context.Scratch(static_cast<size_t>(count * (kHead + 2)) * sizeof(float)));
  const Partials partials{memory + count * kHead,
                          memory + count * (kHead + 1),
                          memory,
                          static_cast<int*>(counters.Reserve(0)),
                          static_cast<int>(heads),
                          static_cast<int>(splits)};
  const float scale = 1.4426950408889634f / std::sqrt(static_cast<float>(kHead));  // log2(e)
  const dim3 grid(static_cast<unsigned>(splits), static_cast<unsigned>(cache.kv_heads),
                  static_cast<unsigned>(rows));
  WithType(y.dtype, [&](auto y_type) {
    using Y = decltype(y_type);
    WithType(q.dtype, [&](auto q_type) {
      using Q = decltype(q_type);
      Launch(context.stream(),
             {.grid = grid, .block = dim3(kThreads), .overlaps = context.HasOverlap()},
             DecodeKernel<Y, Q>, ViewOf<Y>(y), partials, ViewOf<const Q>(q), PagesOf(cache),
             SpanTablesOf(tables), static_cast<int>(heads / cache.kv_heads), scale);
    });
  });
}

}  // namespace bagel
