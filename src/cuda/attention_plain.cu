#include "cuda/attention_plain.h"
#include "cuda/kv_pages.cuh"
#include "cuda/launch.h"
#include "cuda/spans.cuh"
#include "cuda/values.cuh"

namespace bagel {
namespace {

constexpr int kMaxHead = 512, kMaxParts = kMaxHead / 32;

// One query over `keys` keys by one warp: key(j) and value(j) are a head's row.
template <typename Y, typename Q, typename Key, typename Value>
__device__ void AttendOne(Y* y, const Q* q, int keys, int head_dim, const Key& key,
                          const Value& value) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  float query[kMaxParts], sum[kMaxParts] = {};
#pragma unroll
  for (int i = 0; i < kMaxParts; ++i)
    query[i] = lane + 32 * i < head_dim ? ToFloat(q[lane + 32 * i]) : 0.0f;
  const float scale = 1.0f / sqrtf(static_cast<float>(head_dim));
  float largest = -INFINITY, total = 0;
  for (int j = 0; j < keys; ++j) {
    const auto k = key(j);
    float dot = 0;
#pragma unroll
    for (int i = 0; i < kMaxParts; ++i)
      if (lane + 32 * i < head_dim) dot += query[i] * ToFloat(k[lane + 32 * i]);
    const float score = WarpSum(dot) * scale;
    const float next = fmaxf(largest, score);
    const float keep = expf(largest - next), weight = expf(score - next);
    largest = next;
    total = total * keep + weight;
    const auto v = value(j);
#pragma unroll
    for (int i = 0; i < kMaxParts; ++i)
      if (lane + 32 * i < head_dim) sum[i] = sum[i] * keep + weight * ToFloat(v[lane + 32 * i]);
  }
#pragma unroll
  for (int i = 0; i < kMaxParts; ++i)
    if (lane + 32 * i < head_dim) y[lane + 32 * i] = FromFloat<Y>(sum[i] / total);
}

// One block a row of a query tile and head.
template <typename Y, typename Q, typename T>
__global__ void AttendPlainKernel(View<Y> y, View<const Q> q, KvPagesOf<T> cache, SpanTables tables,
                                  int group) {
  const QueryTile tile = tables.tiles[blockIdx.x];
  const DeviceSpan span = tables.spans[tile.span];
  const int index = tile.first + static_cast<int>(blockIdx.z);
  if (index >= span.rows) return;
  const int head = static_cast<int>(blockIdx.y), head_dim = cache.head_dim;
  const int64_t row = RowOf(span, index);
  const auto row_of = [&](T* page, int j) {
    return cache.Row(page, head / group, j % static_cast<int>(kKvPageTokens));
  };
  AttendOne(
      y.At(row, head * head_dim), q.At(row, head * head_dim), KeysOf(span, index), head_dim,
      [&](int j) { return row_of(cache.KeyPage(PageOf(tables, span, j)), j); },
      [&](int j) { return row_of(cache.ValuePage(PageOf(tables, span, j)), j); });
}

// One block a row and head.
template <typename Y, typename X>
__global__ void AttendFullPlainKernel(View<Y> y, View<const X> q, View<const X> k, View<const X> v,
                                      int rows, int head_dim) {
  const int64_t row = blockIdx.x, first = static_cast<int64_t>(blockIdx.y) * head_dim;
  AttendOne(
      y.At(row, first), q.At(row, first), rows, head_dim, [&](int j) { return k.At(j, first); },
      [&](int j) { return v.At(j, first); });
}

}  // namespace

void AttendPlain(cudaStream_t stream, const Tensor& y, const Tensor& q, const KvLayer& cache,
                 const StepTables& tables) {
  CHECK(cache.head_dim <= kMaxHead);
  const int64_t heads = q.cols / cache.head_dim;
  const dim3 grid(static_cast<unsigned>(tables.tile_count), static_cast<unsigned>(heads),
                  static_cast<unsigned>(StepTableBuilder::kTileRows));
  WithType(y.dtype, [&](auto y_type) {
    WithType(q.dtype, [&](auto q_type) {
      using Y = decltype(y_type);
      using Q = decltype(q_type);
      WithPages(cache, [&]<typename T>(const KvPagesOf<T>& pages) {
        Launch(stream, {grid, dim3(32)}, AttendPlainKernel<Y, Q, T>, ViewOf<Y>(y),
               ViewOf<const Q>(q), pages, SpanTablesOf(tables),
               static_cast<int>(heads / cache.kv_heads));
      });
    });
  });
}

void AttendFullPlain(cudaStream_t stream, const Tensor& y, const Tensor& q, const Tensor& k,
                     const Tensor& v, int64_t heads) {
  const int64_t head_dim = q.cols / heads;
  CHECK(head_dim <= kMaxHead && q.dtype == k.dtype && q.dtype == v.dtype);
  const dim3 grid(static_cast<unsigned>(q.rows), static_cast<unsigned>(heads));
  WithType(y.dtype, [&](auto y_type) {
    WithType(q.dtype, [&](auto x_type) {
      using Y = decltype(y_type);
      using X = decltype(x_type);
      Launch(stream, {grid, dim3(32)}, AttendFullPlainKernel<Y, X>, ViewOf<Y>(y),
             ViewOf<const X>(q), ViewOf<const X>(k), ViewOf<const X>(v), static_cast<int>(q.rows),
             static_cast<int>(head_dim));
    });
  });
}

}  // namespace bagel
