#include <mma.h>

#include <algorithm>
#include <cmath>

#include "cuda/attention_decode.h"
#include "cuda/kv_pages.cuh"
#include "cuda/launch.h"
#include "cuda/ptx.cuh"
#include "cuda/rope.cuh"
#include "cuda/spans.cuh"
#include "cuda/values.cuh"

namespace bagel {
namespace {

namespace wmma = nvcuda::wmma;

constexpr int kHead = 128, kThreads = 256, kWarps = kThreads / 32;
constexpr int kMaxGroup = 8;                           // rows of a fragment
constexpr int kKeys = 64;                              // taken together
constexpr int kSide = 32, kDepth = 16;                 // columns and depth of a fragment
constexpr int kStride = kHead + 8, kWide = kKeys + 8;  // of rows in shared memory, for the banks
constexpr int kScoreParts = kWarps / (kKeys / kSide);  // of a head's dimensions
constexpr int kValueParts = kWarps / (kHead / kSide);  // of the keys
constexpr int kOwn = kMaxGroup * kHead / kThreads;     // values of the result in a thread
constexpr int kHeadThreads = kHead / kOwn;
constexpr int64_t kMaxSplits = 64;
static_assert(kKeys == 64 && kOwn == 4 && kWarps == kMaxGroup);

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
  alignas(32) __half queries[kMaxGroup][kStride];
  union {
    alignas(32) __half keys[kKeys][kStride];
    alignas(32) float results[kValueParts][kMaxGroup][kStride];
  };
  alignas(32) __half values[kKeys][kStride];
  union {
    alignas(32) float scores[kScoreParts][kMaxGroup][kWide];
    float split_weights[kMaxGroup][kMaxSplits];
  };
  alignas(32) __half weights[kMaxGroup][kWide];
  float factors[kMaxGroup], largest[kMaxGroup], total[kMaxGroup];
};

using Left = wmma::fragment<wmma::matrix_a, 8, 32, 16, __half, wmma::row_major>;
using Keys = wmma::fragment<wmma::matrix_b, 8, 32, 16, __half, wmma::col_major>;
using Values = wmma::fragment<wmma::matrix_b, 8, 32, 16, __half, wmma::row_major>;
using Sums = wmma::fragment<wmma::accumulator, 8, 32, 16, float>;

// What the products before left of a step's rows, and how their heads are normed and turned.
template <typename X>
struct NewRows {
  View<const X> q, k, v;
  const float *q_norm, *k_norm;
  Rope rope;
};

// A row's own key and value of a head, as the cache has them.
template <typename T>
struct OwnRow {
  alignas(16) T key_values[kHead], value_values[kHead];
  __half key_scale, value_scale;

  __device__ KvRow<T> key() { return {key_values, &key_scale}; }
  __device__ KvRow<T> value() { return {value_values, &value_scale}; }
};

// The group's heads of q, normed and turned, zeros where there are fewer than a fragment has rows;
// and, in the block that `keeps` it, the row's own key and value, which go to the cache too. A warp
// takes a head, the one behind the last of them the key.
template <typename X>
class NewRow {
 public:
  // Needs nothing that earlier kernels write.
  __device__ __forceinline__ NewRow(const NewRows<X>& rows, int row, int group)
      : turn_(Warp() < group ? rows.q_norm : rows.k_norm, rows.rope, row), row_(row) {}

  template <typename T>
  __device__ __forceinline__ void Store(Shared& shared, OwnRow<T>& own, const NewRows<X>& rows,
                                        int kv_head, int group, bool keeps, const KvRow<T>& key,
                                        const KvRow<T>& value) const {
    const int warp = Warp();
    if (warp < group) {
      const X* q = rows.q.At(row_, static_cast<int64_t>(kv_head * group + warp) * kHead);
      auto head = LoadHead<kPairs>(q, kHead);
      turn_.Turn(head);
      return StoreHead(shared.queries[warp], head, kHead);
    }
    StoreHead(shared.queries[warp], Head<kPairs>{}, kHead);
    if (warp != group || !keeps) return;
    const int64_t column = static_cast<int64_t>(kv_head) * kHead;
    auto head = LoadHead<kPairs>(rows.k.At(row_, column), kHead);
    turn_.Turn(head);
    StoreHead(own.key(), head, kHead);
    StoreHead(own.value(), LoadHead<kPairs>(rows.v.At(row_, column), kHead), kHead);
    __syncwarp();
    CopyRow(key, own.key(), kHead);
    CopyRow(value, own.value(), kHead);
  }

 private:
  static constexpr int kPairs = kHead / 64;

  __device__ static int Warp() { return static_cast<int>(threadIdx.x / 32); }

  HeadTurn<kPairs> turn_;
  int row_;
};

// Where a kv head's keys and values of a context lie; from `end` on there are none to fetch.
template <typename T>
struct PageTiles {
  KvPagesOf<T> cache;
  SpanTables tables;
  DeviceSpan span;
  int kv_head;
  int end;
};

// Keys and values on their way into shared memory, those of one page together, zeros behind them.
template <typename T>
class TileOnItsWay {
 public:
  __device__ __forceinline__ void Fetch(const PageTiles<T>& tiles, int first) {
    const int page = PageOf(tiles.tables, tiles.span, first), count = tiles.end - first;
    const int slot = first % static_cast<int>(kKvPageTokens);
    const KvPagesOf<T>& cache = tiles.cache;
    const KvRow<T> keys = cache.Row(cache.KeyPage(page), tiles.kv_head, slot);
    const KvRow<T> values = cache.Row(cache.ValuePage(page), tiles.kv_head, slot);
#pragma unroll
    for (int turn = 0; turn < kTurns; ++turn) {
      const int key = KeyOf(turn);
      keys_[turn] = values_[turn] = Chunk::Zero();
      if (key >= count) continue;
      keys_[turn] = Chunk::Load({keys.values + key * kHead, keys.scale + key}, ChunkOf(turn));
      values_[turn] = Chunk::Load({values.values + key * kHead, values.scale + key}, ChunkOf(turn));
    }
  }
  // Key `own_key` is the step's own.
  __device__ __forceinline__ void Store(Shared& shared, OwnRow<T>& own, int own_key) {
#pragma unroll
    for (int turn = 0; turn < kTurns; ++turn) {
      const int key = KeyOf(turn), dim = ChunkOf(turn) * Chunk::kValues;
      if (key == own_key) {
        keys_[turn] = Chunk::Load(own.key(), ChunkOf(turn));
        values_[turn] = Chunk::Load(own.value(), ChunkOf(turn));
      }
      keys_[turn].Store(&shared.keys[key][dim]);
      values_[turn].Store(&shared.values[key][dim]);
    }
  }

 private:
  using Chunk = KvChunk<T>;
  static constexpr int kChunks = kHead / Chunk::kValues, kTurns = kKeys * kChunks / kThreads;
  // Neighbours that store 16 bytes have chunks of one row, others one of each row: both reach all
  // banks.
  static constexpr int kRows = Chunk::kValues == 8 ? 1 : 8;

  __device__ static int Index(int turn) { return static_cast<int>(threadIdx.x) + turn * kThreads; }
  __device__ static int KeyOf(int turn) {
    return Index(turn) / (kChunks * kRows) * kRows + Index(turn) % kRows;
  }
  __device__ static int ChunkOf(int turn) { return Index(turn) / kRows % kChunks; }

  Chunk keys_[kTurns], values_[kTurns];
};

// A fragment of `left` times `right`, kDepth deep each of kSteps times: `right` moves on by `step`.
template <typename Right, int kSteps>
__device__ __forceinline__ void Multiply(float* to, unsigned to_stride, const __half* left,
                                         unsigned left_stride, const __half* right, int step) {
  Sums sums;
  wmma::fill_fragment(sums, 0.0f);
#pragma unroll
  for (int i = 0; i < kSteps; ++i) {
    Left left_fragment;
    Right right_fragment;
    wmma::load_matrix_sync(left_fragment, left + i * kDepth, left_stride);
    wmma::load_matrix_sync(right_fragment, right + i * step, kStride);
    wmma::mma_sync(sums, left_fragment, right_fragment, sums);
  }
  wmma::store_matrix_sync(to, sums, to_stride, wmma::mem_row_major);
}

// Scores of the keys for all heads of the group. A warp takes kSide keys and a part of the
// dimensions.
__device__ __forceinline__ void ScoreKeys(Shared& shared) {
  constexpr int kDims = kHead / kScoreParts;
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int key = warp % (kKeys / kSide) * kSide, part = warp / (kKeys / kSide);
  Multiply<Keys, kDims / kDepth>(&shared.scores[part][0][key], kWide,
                                 &shared.queries[0][part * kDims], kStride,
                                 &shared.keys[key][part * kDims], kDepth);
}

// Scores become weights, times `scale`, none behind `count`. A warp takes a head.
__device__ __forceinline__ void WeighKeys(Shared& shared, int count, float scale) {
  const int lane = static_cast<int>(threadIdx.x % 32), head = static_cast<int>(threadIdx.x / 32);
  float scores[2] = {};
#pragma unroll
  for (int i = 0; i < 2; ++i) {
#pragma unroll
    for (int part = 0; part < kScoreParts; ++part)
      scores[i] += shared.scores[part][head][lane + 32 * i];
    scores[i] = lane + 32 * i < count ? scores[i] * scale : -INFINITY;
  }
  const float before = shared.largest[head];
  const float next = fmaxf(before, WarpMax(fmaxf(scores[0], scores[1])));
  const float weights[] = {FastExp2(scores[0] - next), FastExp2(scores[1] - next)};
#pragma unroll
  for (int i = 0; i < 2; ++i) shared.weights[head][lane + 32 * i] = __float2half_rn(weights[i]);
  const float sum = WarpSum(weights[0] + weights[1]);
  __syncwarp();  // all have read what the first lane changes
  if (lane != 0) return;
  const float factor = FastExp2(before - next);
  shared.largest[head] = next;
  shared.factors[head] = factor;
  shared.total[head] = shared.total[head] * factor + sum;
}

// Weighted values. A warp takes kSide dimensions and a part of the keys.
__device__ __forceinline__ void WeighValues(Shared& shared) {
  constexpr int kOwnKeys = kKeys / kValueParts;
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int dim = warp % (kHead / kSide) * kSide, part = warp / (kHead / kSide);
  Multiply<Values, kOwnKeys / kDepth>(&shared.results[part][0][dim], kStride,
                                      &shared.weights[0][part * kOwnKeys], kWide,
                                      &shared.values[part * kOwnKeys][dim], kDepth * kStride);
}

// The thread's values of the result: kOwn dimensions of one head.
__device__ __forceinline__ void AddResults(const Shared& shared, float (&result)[kOwn]) {
  const int head = static_cast<int>(threadIdx.x) / kHeadThreads;
  const int dim = static_cast<int>(threadIdx.x) % kHeadThreads * kOwn;
#pragma unroll
  for (float& value : result) value *= shared.factors[head];
#pragma unroll
  for (int part = 0; part < kValueParts; ++part) {
    const float4 four = *reinterpret_cast<const float4*>(&shared.results[part][head][dim]);
    result[0] += four.x, result[1] += four.y, result[2] += four.z, result[3] += four.w;
  }
}

__device__ __forceinline__ void StorePartials(const Shared& shared, const float (&result)[kOwn],
                                              const Partials& partials, int row, int first_head,
                                              int split, int group) {
  const int thread = static_cast<int>(threadIdx.x);
  const int head = thread / kHeadThreads, dim = thread % kHeadThreads * kOwn;
  if (head >= group) return;
  const int64_t index = partials.Index(row, first_head + head, split);
  *reinterpret_cast<float4*>(partials.values + index * kHead + dim) =
      make_float4(result[0], result[1], result[2], result[3]);
  if (dim != 0) return;
  partials.largest[index] = shared.largest[head];
  partials.total[index] = shared.total[head];
}

// Puts the first `count` splits of a group's heads together.
template <typename Y>
__device__ __forceinline__ void Combine(Shared& shared, const View<Y>& y, const Partials& partials,
                                        int row, int first_head, int count, int group) {
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32;
  const int own_head = thread / kHeadThreads, dim = thread % kHeadThreads * kOwn;
  const bool has_head = own_head < group;
  const float* values =
      partials.values + partials.Index(row, first_head + own_head, 0) * kHead + dim;
  // They are on their way while the weights are made.
  constexpr int kFirst = 16;
  float4 first_values[kFirst];
#pragma unroll
  for (int split = 0; split < kFirst; ++split)
    if (has_head && split < count)
      first_values[split] = *reinterpret_cast<const float4*>(values + split * kHead);

  auto& weights = shared.split_weights;
  for (int head = thread / 32; head < group; head += kWarps) {
    const int64_t first = partials.Index(row, first_head + head, 0);
    float largest[2], total[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int split = lane + 32 * i;
      largest[i] = split < count ? partials.largest[first + split] : -INFINITY;
      total[i] = split < count ? partials.total[first + split] : 0.0f;
    }
    const float most = WarpMax(fmaxf(largest[0], largest[1]));
    const float shares[] = {FastExp2(largest[0] - most), FastExp2(largest[1] - most)};
    const float all = WarpSum(shares[0] * total[0] + shares[1] * total[1]);
#pragma unroll
    for (int i = 0; i < 2; ++i) weights[head][lane + 32 * i] = shares[i] / all;
  }
  __syncthreads();
  if (!has_head) return;
  float sums[kOwn] = {};
  const auto add = [&](float weight, const float4& four) {
    sums[0] += weight * four.x, sums[1] += weight * four.y;
    sums[2] += weight * four.z, sums[3] += weight * four.w;
  };
#pragma unroll
  for (int split = 0; split < kFirst; ++split)
    if (split < count) add(weights[own_head][split], first_values[split]);
#pragma unroll 16
  for (int split = kFirst; split < count; ++split)
    add(weights[own_head][split], *reinterpret_cast<const float4*>(values + split * kHead));
  Y* to = y.At(row, static_cast<int64_t>(first_head + own_head) * kHead + dim);
#pragma unroll
  for (int i = 0; i < kOwn; ++i) to[i] = FromFloat<Y>(sums[i]);
}

// The block that is done last puts together what all found. Grid: splits, kv heads, rows.
template <typename Y, typename X, typename T>
__global__ void __launch_bounds__(kThreads)
    DecodeKernel(View<Y> y, Partials partials, NewRows<X> rows, KvPagesOf<T> cache,
                 SpanTables tables, int group, float scale) {
  __shared__ Shared shared;
  __shared__ OwnRow<T> own;
  const int split = static_cast<int>(blockIdx.x), kv_head = static_cast<int>(blockIdx.y);
  const int thread = static_cast<int>(threadIdx.x), first_head = kv_head * group;
  LetLaterKernelsStart();
  const DeviceSpan span = tables.spans[blockIdx.z];
  const int row = static_cast<int>(RowOf(span, 0));
  const int keys = KeysOf(span, 0);
  // Multiples of kKeys, so that what is taken together lies in one page.
  const int share = ((keys + partials.splits - 1) / partials.splits + kKeys - 1) / kKeys * kKeys;
  const int begin = split * share, end = begin + share < keys ? begin + share : keys;
  // The step's own key is the last.
  const int last = keys - 1;
  const PageTiles<T> tiles{cache, tables, span, kv_head, end < last ? end : last};
  TileOnItsWay<T> coming;
  if (begin < end) coming.Fetch(tiles, begin);
  const NewRow<X> row_of_step(rows, row, group);
  WaitForEarlierKernels();
  if (begin >= end) return;
  const int page = PageOf(tables, span, last), slot = last % static_cast<int>(kKvPageTokens);
  row_of_step.Store(shared, own, rows, kv_head, group, end == keys,
                    cache.Row(cache.KeyPage(page), kv_head, slot),
                    cache.Row(cache.ValuePage(page), kv_head, slot));
  if (thread < kMaxGroup) {
    shared.largest[thread] = -INFINITY;
    shared.total[thread] = 0;
  }

  float result[kOwn] = {};
  for (int first = begin; first < end; first += kKeys) {
    __syncthreads();  // the row of the step, results
    coming.Store(shared, own, last - first);
    __syncthreads();
    if (first + kKeys < end) coming.Fetch(tiles, first + kKeys);
    ScoreKeys(shared);
    __syncthreads();
    WeighKeys(shared, end - first, scale);
    __syncthreads();
    WeighValues(shared);
    __syncthreads();
    AddResults(shared, result);
  }
  StorePartials(shared, result, partials, row, first_head, split, group);

  const int splits = (keys + share - 1) / share;
  if (!IsLastBlock(&partials.counters[row * static_cast<int>(gridDim.y) + kv_head], splits)) return;
  Combine(shared, y, partials, row, first_head, splits, group);
}

}  // namespace

bool DecodeTakes(const Tensor& q, const Tensor& k, const Tensor& v, const KvLayer& cache,
                 const StepTables& tables) {
  return tables.single_rows && cache.head_dim == kHead && q.dtype == k.dtype &&
         k.dtype == v.dtype && q.cols / kHead / cache.kv_heads < kWarps;
}

void AttendDecode(CudaContext& context, const Tensor& y, const KvLayer& cache, const Tensor& q,
                  const Tensor& k, const Tensor& v, const HeadNorms& norms, float eps,
                  const float* frequencies, const StepTables& tables) {
  const int64_t heads = q.cols / kHead, rows = tables.span_count;
  const int64_t splits =
      std::clamp<int64_t>(context.multiprocessors() / (cache.kv_heads * rows), 1, kMaxSplits);
  const int64_t count = rows * heads * splits;
  auto* memory = static_cast<float*>(
      context.Scratch(static_cast<size_t>(count * (kHead + 2)) * sizeof(float)));
  const Partials partials{memory + count * kHead,
                          memory + count * (kHead + 1),
                          memory,
                          context.Counters(tables.rows * cache.kv_heads),
                          static_cast<int>(heads),
                          static_cast<int>(splits)};
  const float scale = 1.4426950408889634f / std::sqrt(static_cast<float>(kHead));  // log2(e)
  const dim3 grid(static_cast<unsigned>(splits), static_cast<unsigned>(cache.kv_heads),
                  static_cast<unsigned>(rows));
  WithType(y.dtype, [&](auto y_type) {
    using Y = decltype(y_type);
    WithType(q.dtype, [&](auto x_type) {
      using X = decltype(x_type);
      const NewRows<X> new_rows{ViewOf<const X>(q),
                                ViewOf<const X>(k),
                                ViewOf<const X>(v),
                                norms.q,
                                norms.k,
                                {kHead, eps, frequencies, tables.positions}};
      WithPages(cache, [&]<typename T>(const KvPagesOf<T>& pages) {
        Launch(context.stream(),
               {.grid = grid, .block = dim3(kThreads), .overlaps = context.HasOverlap()},
               DecodeKernel<Y, X, T>, ViewOf<Y>(y), partials, new_rows, pages, SpanTablesOf(tables),
               static_cast<int>(heads / cache.kv_heads), scale);
      });
    });
  });
}

}  // namespace bagel
