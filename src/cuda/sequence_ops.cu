#include <cmath>

#include "cuda/heads.cuh"
#include "cuda/kv_pages.cuh"
#include "cuda/launch.h"
#include "cuda/ptx.cuh"
#include "cuda/rope.cuh"
#include "cuda/sequence_ops.h"
#include "cuda/values.cuh"
#include "cuda/weight_values.cuh"

namespace bagel {
namespace {

constexpr unsigned kThreads = 128;

unsigned Blocks(int64_t count, int64_t in_block) {
  return static_cast<unsigned>((count + in_block - 1) / in_block);
}

struct DenseRows {
  const float* data;
  int64_t cols;
  __device__ float operator()(int64_t row, int64_t column) const {
    return data[row * cols + column];
  }
};

// Row ids[r] of a table.
template <typename Values>
struct GatheredRows {
  Values table;
  const int32_t* ids;
  __device__ float operator()(int64_t row, int64_t column) const { return table(ids[row], column); }
};

// Two columns a thread. Grid: blocks of a row's columns, rows.
template <typename Y, typename Rows>
__global__ void RowsKernel(View<Y> y, Rows rows, int cols, bool add) {
  const int64_t row = blockIdx.y;
  const int first = static_cast<int>(blockIdx.x * 2 * blockDim.x + threadIdx.x);
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int column = first + i * static_cast<int>(blockDim.x);
    if (column >= cols) continue;
    const float value = rows(row, column);
    Y* to = y.At(row, column);
    *to = FromFloat<Y>(add ? ToFloat(*to) + value : value);
  }
}

template <typename Rows>
void LaunchRows(cudaStream_t stream, const Tensor& y, const Rows& rows, bool add) {
  WithType(y.dtype, [&](auto type) {
    using Y = decltype(type);
    Launch(stream,
           {dim3(Blocks(y.cols, 2 * kThreads), static_cast<unsigned>(y.rows)), dim3(kThreads)},
           RowsKernel<Y, Rows>, ViewOf<Y>(y), rows, static_cast<int>(y.cols), add);
  });
}

// Pairs of a head that one lane holds: heads of up to 256.
constexpr int kMaxPairs = 4;

// One warp a head of a row.
template <typename X>
__global__ void HeadNormRopeKernel(View<X> x, const float* __restrict__ weight, int heads,
                                   Rope rope, int total) {
  const int index = static_cast<int>((blockIdx.x * blockDim.x + threadIdx.x) / 32);
  if (index >= total) return;  // the whole warp
  const int row = index / heads;
  X* at = x.At(row, static_cast<int64_t>(index % heads) * rope.head_dim);
  auto head = LoadHead<kMaxPairs>(at, rope.head_dim);
  HeadTurn<kMaxPairs>(weight, rope, row).Turn(head);
  StoreHead(at, head, rope.head_dim);
}

// What a warp's heads of a row take: heads `head` and every `step`-th behind it, before `end`.
// While `use(head, values)` has one, the next is on its way.
template <int kPairs, typename From, typename Use>
__device__ __forceinline__ void ForHeads(int& head, int end, int step, int head_dim,
                                         const From& from, const Use& use) {
  if (head >= end) return;
  Head<kPairs> next = LoadHead<kPairs>(from(head), head_dim);
  for (; head < end; head += step) {
    Head<kPairs> values = next;
    if (head + step < end) next = LoadHead<kPairs>(from(head + step), head_dim);
    use(head, values);
  }
}

// One warp some heads of a row, from `first` on: of q, which are turned in place, then of k and of
// v, which go to the cache.
template <int kPairs, typename X, typename T>
__global__ void NormRopeAppendKernel(KvPagesOf<T> cache, View<X> q, View<const X> k,
                                     View<const X> v, const float* __restrict__ q_norm,
                                     const float* __restrict__ k_norm, int q_heads, Rope rope,
                                     const int32_t* __restrict__ pages,
                                     const int32_t* __restrict__ slots, int first) {
  LetLaterKernelsStart();
  const int warps = static_cast<int>(gridDim.y * blockDim.x / 32);
  const int row = first + static_cast<int>(blockIdx.x), page = pages[row], slot = slots[row];
  int head = static_cast<int>((blockIdx.y * blockDim.x + threadIdx.x) / 32);
  const auto for_heads = [&](int begin, int count, const auto& view, const auto& use) {
    ForHeads<kPairs>(
        head, begin + count, warps, rope.head_dim,
        [&](int of) { return view.At(row, static_cast<int64_t>(of - begin) * rope.head_dim); },
        [&](int of, Head<kPairs>& values) { use(of - begin, values); });
  };
  WaitForEarlierKernels();
  if (head < q_heads) {
    const HeadTurn<kPairs> turn(q_norm, rope, row);
    for_heads(0, q_heads, q, [&](int of, Head<kPairs>& values) {
      turn.Turn(values);
      StoreHead(q.At(row, static_cast<int64_t>(of) * rope.head_dim), values, rope.head_dim);
    });
  }
  if (head < q_heads + cache.kv_heads) {
    const HeadTurn<kPairs> turn(k_norm, rope, row);
    for_heads(q_heads, cache.kv_heads, k, [&](int of, Head<kPairs>& values) {
      turn.Turn(values);
      StoreHead(cache.Row(cache.KeyPage(page), of, slot), values, rope.head_dim);
    });
  }
  for_heads(q_heads + cache.kv_heads, cache.kv_heads, v, [&](int of, Head<kPairs>& values) {
    StoreHead(cache.Row(cache.ValuePage(page), of, slot), values, rope.head_dim);
  });
}

// One warp a head of a row: of k, then of v.
template <typename X, typename T>
__global__ void KvAppendKernel(KvPagesOf<T> cache, View<const X> k, View<const X> v,
                               const int32_t* __restrict__ pages, const int32_t* __restrict__ slots,
                               int total) {
  const int index = static_cast<int>((blockIdx.x * blockDim.x + threadIdx.x) / 32);
  if (index >= total) return;  // the whole warp
  const int row = index / (2 * cache.kv_heads), of_row = index % (2 * cache.kv_heads);
  const int of_kv = of_row % cache.kv_heads, page = pages[row];
  const bool is_k = of_row < cache.kv_heads;
  const X* from = (is_k ? k : v).At(row, static_cast<int64_t>(of_kv) * cache.head_dim);
  T* to = is_k ? cache.KeyPage(page) : cache.ValuePage(page);
  StoreHead(cache.Row(to, of_kv, slots[row]), LoadHead<kMaxPairs>(from, cache.head_dim),
            cache.head_dim);
}

}  // namespace

void CudaTakeRows(cudaStream_t stream, const Tensor& y, const float* rows, bool add) {
  LaunchRows(stream, y, DenseRows{rows, y.cols}, add);
}

void CudaGatherRows(cudaStream_t stream, const Tensor& y, const Weight& table, const int32_t* ids,
                    bool add) {
  WithWeightValues(table, [&](auto values) {
    LaunchRows(stream, y, GatheredRows<decltype(values)>{values, ids}, add);
  });
}

std::vector<float> RopeFrequencies(int64_t head_dim, float theta) {
  std::vector<float> frequencies(static_cast<size_t>(head_dim / 2));
  for (size_t i = 0; i < frequencies.size(); ++i)
    frequencies[i] = static_cast<float>(
        1.0 / std::pow(static_cast<double>(theta),
                       2.0 * static_cast<double>(i) / static_cast<double>(head_dim)));
  return frequencies;
}

void CudaHeadNormRope(cudaStream_t stream, const Tensor& x, const float* weight, int64_t head_dim,
                      float eps, const float* frequencies, const int32_t* positions) {
  CHECK(head_dim <= 64 * kMaxPairs);
  const int64_t heads = x.cols / head_dim, total = x.rows * heads;
  WithType(x.dtype, [&](auto type) {
    using X = decltype(type);
    Launch(stream, {dim3(Blocks(total, kThreads / 32)), dim3(kThreads)}, HeadNormRopeKernel<X>,
           ViewOf<X>(x), weight, static_cast<int>(heads),
           Rope{static_cast<int>(head_dim), eps, frequencies, positions}, static_cast<int>(total));
  });
}

void CudaNormRopeAppend(const CudaContext& context, const KvLayer& cache, const Tensor& q,
                        const Tensor& k, const Tensor& v, const HeadNorms& norms, float eps,
                        const float* frequencies, const StepTables& tables) {
  CHECK(cache.head_dim <= 64 * kMaxPairs && q.dtype == k.dtype && k.dtype == v.dtype);
  const int64_t q_heads = q.cols / cache.head_dim;
  // Many rows have a block each, whose warps find a row's angles once for many heads.
  constexpr int64_t kManyRows = 1024, kWarps = kThreads / 32;
  const int64_t heads = q_heads + 2 * cache.kv_heads;
  const int64_t blocks = norms.rows < kManyRows ? (heads + kWarps - 1) / kWarps : 1;
  WithType(q.dtype, [&](auto type) {
    using X = decltype(type);
    WithPages(cache, [&]<typename T>(const KvPagesOf<T>& pages) {
      constexpr int kPairs = 2;
      const bool fits = cache.head_dim <= 64 * kPairs && cache.head_dim % (2 * kPairs) == 0;
      Launch(context.stream(),
             {.grid = dim3(static_cast<unsigned>(norms.rows), static_cast<unsigned>(blocks)),
              .block = dim3(kThreads),
              .overlaps = context.HasOverlap()},
             fits ? NormRopeAppendKernel<kPairs, X, T> : NormRopeAppendKernel<kMaxPairs, X, T>,
             pages, ViewOf<X>(q), ViewOf<const X>(k), ViewOf<const X>(v), norms.q, norms.k,
             static_cast<int>(q_heads),
             Rope{static_cast<int>(cache.head_dim), eps, frequencies, tables.positions},
             tables.row_pages, tables.row_slots, static_cast<int>(norms.first_row));
    });
  });
}

void CudaKvAppend(cudaStream_t stream, const KvLayer& cache, const Tensor& k, const Tensor& v,
                  const StepTables& tables) {
  CHECK(cache.head_dim <= 64 * kMaxPairs && cache.head_dim % 2 == 0 && k.dtype == v.dtype);
  const int64_t total = k.rows * 2 * cache.kv_heads;
  WithType(k.dtype, [&](auto type) {
    using X = decltype(type);
    WithPages(cache, [&]<typename T>(const KvPagesOf<T>& pages) {
      Launch(stream, {dim3(Blocks(total, kThreads / 32)), dim3(kThreads)}, KvAppendKernel<X, T>,
             pages, ViewOf<const X>(k), ViewOf<const X>(v), tables.row_pages, tables.row_slots,
             static_cast<int>(total));
    });
  });
}

}  // namespace bagel
