#include <cmath>

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

// One block a row.
template <typename Y, typename Rows>
__global__ void RowsKernel(View<Y> y, Rows rows, int cols, bool add) {
  const int64_t row = blockIdx.x;
  for (int i = static_cast<int>(threadIdx.x); i < cols; i += static_cast<int>(blockDim.x)) {
    const float value = rows(row, i);
    Y* to = y.At(row, i);
    *to = FromFloat<Y>(add ? ToFloat(*to) + value : value);
  }
}

template <typename Rows>
void LaunchRows(cudaStream_t stream, const Tensor& y, const Rows& rows, bool add) {
  WithType(y.dtype, [&](auto type) {
    using Y = decltype(type);
    Launch(stream, {dim3(static_cast<unsigned>(y.rows)), dim3(kThreads)}, RowsKernel<Y, Rows>,
           ViewOf<Y>(y), rows, static_cast<int>(y.cols), add);
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
  X* head = x.At(row, static_cast<int64_t>(index % heads) * rope.head_dim);
  HeadTurn<kMaxPairs>(weight, rope, row).Turn(head, head);
}

// One warp a head of a row: of q, which is turned in place, then of k and of v, which go to the
// cache. Rows from `first` on.
template <typename X>
__global__ void NormRopeAppendKernel(KvPages cache, View<X> q, View<const X> k, View<const X> v,
                                     const float* __restrict__ q_norm,
                                     const float* __restrict__ k_norm, int q_heads, Rope rope,
                                     const int32_t* __restrict__ pages,
                                     const int32_t* __restrict__ slots, int first, int total) {
  const int index = static_cast<int>((blockIdx.x * blockDim.x + threadIdx.x) / 32);
  LetLaterKernelsStart();
  if (index >= total) return;  // the whole warp
  const int heads = q_heads + 2 * cache.kv_heads;
  const int row = first + index / heads, head = index % heads;
  const int page = pages[row], slot = slots[row];
  WaitForEarlierKernels();
  if (head < q_heads) {
    X* at = q.At(row, static_cast<int64_t>(head) * rope.head_dim);
    return HeadTurn<kMaxPairs>(q_norm, rope, row).Turn(at, at);
  }
  const int kv_head = (head - q_heads) % cache.kv_heads;
  const int64_t column = static_cast<int64_t>(kv_head) * rope.head_dim;
  const int64_t place = (static_cast<int64_t>(kv_head) * kKvPageTokens + slot) * rope.head_dim;
  if (head < q_heads + cache.kv_heads)
    return HeadTurn<kMaxPairs>(k_norm, rope, row)
        .Turn(cache.KeyPage(page) + place, k.At(row, column));
  __half* to = cache.ValuePage(page) + place;
  const X* from = v.At(row, column);
  for (int i = static_cast<int>(threadIdx.x % 32); i < rope.head_dim; i += 32)
    to[i] = FromFloat<__half>(ToFloat(from[i]));
}

// One block a row of keys and values.
template <typename X>
__global__ void KvAppendKernel(KvPages cache, View<const X> k, View<const X> v,
                               const int32_t* __restrict__ pages,
                               const int32_t* __restrict__ slots) {
  const int row = static_cast<int>(blockIdx.x);
  __half* key_page = cache.KeyPage(pages[row]);
  __half* value_page = cache.ValuePage(pages[row]);
  const int slot = slots[row], cols = cache.kv_heads * cache.head_dim;
  for (int i = static_cast<int>(threadIdx.x); i < cols; i += static_cast<int>(blockDim.x)) {
    const int head = i / cache.head_dim, dim = i % cache.head_dim;
    const int to = (head * static_cast<int>(kKvPageTokens) + slot) * cache.head_dim + dim;
    key_page[to] = FromFloat<__half>(ToFloat(*k.At(row, i)));
    value_page[to] = FromFloat<__half>(ToFloat(*v.At(row, i)));
  }
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
  const int64_t total = norms.rows * (q_heads + 2 * cache.kv_heads);
  WithType(q.dtype, [&](auto type) {
    using X = decltype(type);
    Launch(context.stream(),
           {.grid = dim3(Blocks(total, kThreads / 32)),
            .block = dim3(kThreads),
            .overlaps = context.HasOverlap()},
           NormRopeAppendKernel<X>, PagesOf(cache), ViewOf<X>(q), ViewOf<const X>(k),
           ViewOf<const X>(v), norms.q, norms.k, static_cast<int>(q_heads),
           Rope{static_cast<int>(cache.head_dim), eps, frequencies, tables.positions},
           tables.row_pages, tables.row_slots, static_cast<int>(norms.first_row),
           static_cast<int>(total));
  });
}

void CudaKvAppend(cudaStream_t stream, const KvLayer& cache, const Tensor& k, const Tensor& v,
                  const StepTables& tables) {
  CHECK(k.dtype == v.dtype);
  WithType(k.dtype, [&](auto type) {
    using X = decltype(type);
    Launch(stream, {dim3(static_cast<unsigned>(k.rows)), dim3(kThreads)}, KvAppendKernel<X>,
           PagesOf(cache), ViewOf<const X>(k), ViewOf<const X>(v), tables.row_pages,
           tables.row_slots);
  });
}

}  // namespace bagel
