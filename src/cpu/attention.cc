#include "cpu/attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/error.h"
#include "cpu/row_ops.h"
#include "cpu/tile.h"
#include "quant/codec.h"
#include "quant/half.h"

namespace bagel {
namespace {

constexpr int64_t kBlock = kKvPageTokens;

// The two kinds of products, by element type.
void Multiply(const float* w, int64_t row_stride, int64_t n, int64_t k, const float* packed,
              float* c, bool accumulate) {
  MultiplyF32(w, row_stride, 1, n, k, packed, c, kGroup, accumulate);
}
void Multiply(const uint16_t* w, int64_t row_stride, int64_t n, int64_t k, const uint16_t* packed,
              float* c, bool accumulate) {
  MultiplyBF16(RowsBF16::Plain(w, row_stride), n, k, packed, c, kGroup, accumulate);
}

void ConvertRow(const float* in, int64_t count, float* out) {
  std::memcpy(out, in, static_cast<size_t>(count) * sizeof(float));
}
void ConvertRow(const float* in, int64_t count, uint16_t* out) { ConvertToBF16(in, count, out); }

float ConvertOne(float value, float) { return value; }
uint16_t ConvertOne(float value, uint16_t) { return F32ToBF16(value); }

// Stores a token's key and value, which is turned, at `slot` of a head's page.
template <typename T>
void StoreToken(const KvLayer& cache, int64_t page, int64_t head, int64_t slot, const float* key,
                const float* value) {
  const int64_t dim = cache.head_dim, base = head * kBlock * dim;
  ConvertRow(key, dim, cache.KeyPage<T>(page) + base + slot * dim);
  T* values = cache.ValuePage<T>(page) + base + slot;
  for (int64_t i = 0; i < dim; ++i) values[i * kBlock] = ConvertOne(value[i], T());
}
template <>
void StoreToken<int8_t>(const KvLayer& cache, int64_t page, int64_t head, int64_t slot,
                        const float* key, const float* value) {
  const int64_t dim = cache.head_dim, base = head * kBlock * dim, place = head * kBlock + slot;
  const auto count = static_cast<size_t>(dim);
  int8_t* keys = cache.KeyPage<int8_t>(page);
  int8_t* values = cache.ValuePage<int8_t>(page);
  cache.Scales(keys)[place] = PackInt8({key, count}, keys + base + slot * dim);
  std::vector<int8_t> codes(count);
  cache.Scales(values)[place] = PackInt8({value, count}, codes.data());
  for (int64_t i = 0; i < dim; ++i)
    values[base + i * kBlock + slot] = codes[static_cast<size_t>(i)];
}

}  // namespace

// Up to 32 query vectors that look at the same keys, and where their results go.
struct CpuAttention::Columns {
  int64_t count = 0;
  std::array<const float*, kGroup> q;
  std::array<float*, kGroup> y;
  std::array<int64_t, kGroup> keys;  // how many keys each may see
};

CpuAttention::CpuAttention(ThreadPool& pool)
    : pool_(pool),
      threads_(static_cast<size_t>(pool.threads())),
      unpacked_(static_cast<size_t>(pool.threads())) {}

template <typename T, typename BlockAt>
void CpuAttention::AttendColumns(const Columns& columns, int64_t head_dim, const BlockAt& block_at,
                                 int thread) {
  const int64_t k_dim = PadK(T(), head_dim);
  // Queries as rows, queries packed, scores, weights packed, sums, and three rows of statistics.
  float* rows = threads_[static_cast<size_t>(thread)].Get<float>(
      kGroup * (2 * k_dim + 2 * kBlock + head_dim + 3));
  T* packed_q = reinterpret_cast<T*>(rows + kGroup * k_dim);
  float* scores = rows + 2 * kGroup * k_dim;
  T* packed_weights = reinterpret_cast<T*>(scores + kGroup * kBlock);
  float* sums = scores + 2 * kGroup * kBlock;
  float* maximum = sums + kGroup * head_dim;
  float* total = maximum + kGroup;
  float* correction = total + kGroup;

  for (int64_t m = 0; m < columns.count; ++m)
    std::copy_n(columns.q[static_cast<size_t>(m)], head_dim, rows + m * head_dim);
  PackGroup(rows, head_dim, columns.count, head_dim, packed_q);
  std::fill_n(maximum, kGroup, std::numeric_limits<float>::lowest());
  std::fill_n(total, kGroup, 0.0f);
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));

  const auto seen = std::span(columns.keys).first(static_cast<size_t>(columns.count));
  const int64_t all = *std::max_element(seen.begin(), seen.end());
  const int64_t least = *std::min_element(seen.begin(), seen.end());
  for (int64_t first = 0; first < all; first += kBlock) {
    const KeyValueBlock<T> block = block_at(first / kBlock);
    const int64_t keys = std::min(kBlock, all - first);
    Multiply(block.k, k_dim, keys, k_dim, packed_q, scores, false);
    std::array<int32_t, kGroup> limits{};
    for (size_t m = 0; m < seen.size(); ++m)
      limits[m] = static_cast<int32_t>(std::clamp<int64_t>(seen[m] - first, 0, kBlock));
    const bool masked = least - first < keys;
    SoftmaxBlock(scores, keys, limits.data(), masked, scale, maximum, total, correction);
    if (first > 0) ScaleColumns(sums, head_dim, correction);
    if constexpr (std::is_same_v<T, float>) {
      Multiply(block.v, kBlock, head_dim, keys, scores, sums, first > 0);
    } else {
      const int64_t padded = PadKBF16(keys);
      std::fill_n(scores + keys * kGroup, (padded - keys) * kGroup, 0.0f);
      PackPairsBF16(scores, padded, packed_weights);
      Multiply(block.v, kBlock, head_dim, padded, packed_weights, sums, first > 0);
    }
  }
  for (int64_t m = 0; m < kGroup; ++m) correction[m] = 1.0f / total[m];
  ScaleColumns(sums, head_dim, correction);
  for (int64_t m = 0; m < columns.count; ++m) {
    float* y = columns.y[static_cast<size_t>(m)];
    for (int64_t i = 0; i < head_dim; ++i) y[i] = sums[i * kGroup + m];
  }
}

template <typename T>
void CpuAttention::Append(const Step& step, const KvLayer& cache, const Tensor& k,
                          const Tensor& v) {
  const int64_t dim = cache.head_dim, heads = cache.kv_heads;
  // A task is a page of one head.
  struct Task {
    const Span* span;
    int64_t page;
  };
  std::vector<Task> tasks;
  std::vector<int64_t> new_pages;
  for (const Span& span : step.spans) {
    for (int64_t page = span.past / kBlock; page * kBlock < span.past + span.rows; ++page) {
      tasks.push_back({&span, page});
      if (page * kBlock >= span.past) new_pages.push_back(span.pages[static_cast<size_t>(page)]);
    }
  }
  // Weights of 0 are multiplied with what lies behind the last token: it must be finite. All this
  // comes first, since spans of one context share a page.
  pool_.ParallelFor(static_cast<int64_t>(new_pages.size()) * heads, [&](int64_t index, int) {
    const int64_t head = index % heads;
    T* values = cache.ValuePage<T>(new_pages[static_cast<size_t>(index / heads)]);
    std::fill_n(values + head * kBlock * dim, kBlock * dim, T(0));
    if constexpr (std::is_same_v<T, int8_t>)
      std::fill_n(cache.Scales(values) + head * kBlock, kBlock, uint16_t{0});
  });
  pool_.ParallelFor(static_cast<int64_t>(tasks.size()) * heads, [&](int64_t index, int) {
    const Task& task = tasks[static_cast<size_t>(index / heads)];
    const Span& span = *task.span;
    const int64_t head = index % heads;
    const int64_t page = span.pages[static_cast<size_t>(task.page)];
    const int64_t first = std::max(span.past, task.page * kBlock);
    const int64_t last = std::min(span.past + span.rows, (task.page + 1) * kBlock);
    for (int64_t token = first; token < last; ++token) {
      const int64_t row = span.Row(token - span.past);
      StoreToken<T>(cache, page, head, token % kBlock, k.f32(row) + head * dim,
                    v.f32(row) + head * dim);
    }
  });
}

template <typename T>
KeyValueBlock<T> CpuAttention::Unpack(const KvLayer& cache, int64_t page, int64_t head,
                                      int64_t keys, int thread) {
  const int64_t dim = cache.head_dim, base = head * kBlock * dim;
  T* k = unpacked_[static_cast<size_t>(thread)].Get<T>(2 * kBlock * dim);
  T* v = k + kBlock * dim;
  int8_t* const key_codes = cache.KeyPage<int8_t>(page);
  int8_t* const value_codes = cache.ValuePage<int8_t>(page);
  std::array<float, kBlock> key_scales, value_scales;
  for (int64_t slot = 0; slot < kBlock; ++slot) {
    const auto at = static_cast<size_t>(slot);
    key_scales[at] = F16ToF32(cache.Scales(key_codes)[head * kBlock + slot]);
    value_scales[at] = F16ToF32(cache.Scales(value_codes)[head * kBlock + slot]);
  }
  for (int64_t slot = 0; slot < keys; ++slot) {
    const float scale = key_scales[static_cast<size_t>(slot)];
    const int8_t* codes = key_codes + base + slot * dim;
    for (int64_t i = 0; i < dim; ++i)
      k[slot * dim + i] = ConvertOne(static_cast<float>(codes[i]) * scale, T());
  }
  for (int64_t i = 0; i < dim; ++i) {
    const int8_t* codes = value_codes + base + i * kBlock;
    for (int64_t slot = 0; slot < kBlock; ++slot)
      v[i * kBlock + slot] = ConvertOne(
          static_cast<float>(codes[slot]) * value_scales[static_cast<size_t>(slot)], T());
  }
  return {k, v};
}

template <typename T>
void CpuAttention::Attend(const Step& step, const KvLayer& cache, const Tensor& q,
                          const Tensor& y) {
  const int64_t dim = cache.head_dim;
  CHECK(PadK(T(), dim) == dim);
  const int64_t group = q.cols / (cache.kv_heads * dim);
  struct Task {
    const Span* span;
    int64_t kv_head;
    int64_t first;  // of the span's (row, head of the group) pairs
  };
  std::vector<Task> tasks;
  // Long rows first: of a causal span the last ones see the most.
  for (const Span& span : step.spans) {
    const int64_t pairs = span.rows * group;
    for (int64_t first = (pairs - 1) / kGroup * kGroup; first >= 0; first -= kGroup) {
      for (int64_t head = 0; head < cache.kv_heads; ++head) tasks.push_back({&span, head, first});
    }
  }
  pool_.ParallelFor(static_cast<int64_t>(tasks.size()), [&](int64_t index, int thread) {
    const auto [span, kv_head, first] = tasks[static_cast<size_t>(index)];
    Columns columns;
    columns.count = std::min(kGroup, span->rows * group - first);
    for (int64_t m = 0; m < columns.count; ++m) {
      const int64_t row = (first + m) / group;
      const int64_t offset = (kv_head * group + (first + m) % group) * dim;
      const auto slot = static_cast<size_t>(m);
      columns.q[slot] = q.f32(span->Row(row)) + offset;
      columns.y[slot] = y.f32(span->Row(row)) + offset;
      columns.keys[slot] = span->past + (span->causal ? row + 1 : span->rows);
    }
    const auto block_at = [&, span = span, head = kv_head](int64_t block) {
      const int64_t page = span->pages[static_cast<size_t>(block)];
      if (cache.dtype == DType::kI8) {
        const int64_t left = span->past + span->rows - block * kBlock;
        return Unpack<T>(cache, page, head, std::min(kBlock, left), thread);
      }
      const int64_t base = head * kBlock * dim;
      return KeyValueBlock<T>{cache.KeyPage<T>(page) + base, cache.ValuePage<T>(page) + base};
    };
    AttendColumns<T>(columns, dim, block_at, thread);
  });
}

template <typename T>
void CpuAttention::AttendFull(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads,
                              const Tensor& y) {
  const int64_t dim = q.cols / heads, k_dim = PadK(T(), dim), rows = q.rows;
  const int64_t blocks = (rows + kBlock - 1) / kBlock;
  const int64_t block_size = kBlock * (k_dim + dim);
  T* memory = blocks_.Get<T>(heads * blocks * block_size);
  pool_.ParallelFor(heads * blocks, [&](int64_t index, int) {
    const int64_t head = index / blocks, first = index % blocks * kBlock;
    T* keys = memory + index * block_size;
    T* values = keys + kBlock * k_dim;
    std::fill_n(keys, block_size, T(0));
    for (int64_t slot = 0; slot < std::min(kBlock, rows - first); ++slot) {
      ConvertRow(k.f32(first + slot) + head * dim, dim, keys + slot * k_dim);
      const float* from = v.f32(first + slot) + head * dim;
      for (int64_t i = 0; i < dim; ++i) values[i * kBlock + slot] = ConvertOne(from[i], T());
    }
  });
  const int64_t groups = (rows + kGroup - 1) / kGroup;
  pool_.ParallelFor(heads * groups, [&](int64_t index, int thread) {
    const int64_t head = index / groups, first = index % groups * kGroup;
    Columns columns;
    columns.count = std::min(kGroup, rows - first);
    for (int64_t m = 0; m < columns.count; ++m) {
      const auto slot = static_cast<size_t>(m);
      columns.q[slot] = q.f32(first + m) + head * dim;
      columns.y[slot] = y.f32(first + m) + head * dim;
      columns.keys[slot] = rows;
    }
    const auto block_at = [&](int64_t block) {
      const T* keys = memory + (head * blocks + block) * block_size;
      return KeyValueBlock<T>{keys, keys + kBlock * k_dim};
    };
    AttendColumns<T>(columns, dim, block_at, thread);
  });
}

template void CpuAttention::Append<float>(const Step&, const KvLayer&, const Tensor&,
                                          const Tensor&);
template void CpuAttention::Append<uint16_t>(const Step&, const KvLayer&, const Tensor&,
                                             const Tensor&);
template void CpuAttention::Append<int8_t>(const Step&, const KvLayer&, const Tensor&,
                                           const Tensor&);
template void CpuAttention::Attend<float>(const Step&, const KvLayer&, const Tensor&,
                                          const Tensor&);
template void CpuAttention::Attend<uint16_t>(const Step&, const KvLayer&, const Tensor&,
                                             const Tensor&);
template void CpuAttention::AttendFull<float>(const Tensor&, const Tensor&, const Tensor&, int64_t,
                                              const Tensor&);
template void CpuAttention::AttendFull<uint16_t>(const Tensor&, const Tensor&, const Tensor&,
                                                 int64_t, const Tensor&);

}  // namespace bagel
