#include "cpu/tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tile.cc"
// clang-format off: this one comes first, it includes the file once for each target
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace bagel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32Tag = hn::CappedTag<float, 16>;
constexpr F32Tag kTag;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32Tag()));
constexpr int kVectors = static_cast<int>(kGroup) / kLanes;  // of one packed group
// Rows of w multiplied at once: their sums fill the registers, 24 of 32 or 12 of 16.
constexpr int kRows = kLanes == 16 ? 12 : 3;

template <int kRowCount>
HWY_INLINE void MultiplyRows(const float* HWY_RESTRICT w, int64_t row_stride, int64_t k_stride,
                             int64_t k, const float* HWY_RESTRICT packed, float* HWY_RESTRICT c,
                             int64_t c_stride, bool accumulate) {
  using V = hn::Vec<F32Tag>;
  V sums[kRowCount][kVectors];
  for (int r = 0; r < kRowCount; ++r) {
    for (int v = 0; v < kVectors; ++v)
      sums[r][v] = accumulate ? hn::LoadU(kTag, c + r * c_stride + v * kLanes) : hn::Zero(kTag);
  }
  for (int64_t i = 0; i < k; ++i) {
    V x[kVectors];
    for (int v = 0; v < kVectors; ++v) x[v] = hn::LoadU(kTag, packed + v * kLanes);
    for (int r = 0; r < kRowCount; ++r) {
      const V factor = hn::Set(kTag, w[r * row_stride]);
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(factor, x[v], sums[r][v]);
    }
    packed += kGroup;
    w += k_stride;
  }
  for (int r = 0; r < kRowCount; ++r) {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], kTag, c + r * c_stride + v * kLanes);
  }
}

// Packed columns of one block stay in the first-level cache while all rows of w pass by.
constexpr int64_t kKBlock = 256;

void MultiplyF32(const float* w, int64_t row_stride, int64_t k_stride, int64_t n, int64_t k,
                 const float* packed, float* c, int64_t c_stride, bool accumulate) {
  for (int64_t first = 0; first < k; first += kKBlock) {
    const int64_t count = std::min(kKBlock, k - first);
    const float* block = w + first * k_stride;
    const float* columns = packed + first * kGroup;
    int64_t row = 0;
    for (; row + kRows <= n; row += kRows)
      MultiplyRows<kRows>(block + row * row_stride, row_stride, k_stride, count, columns,
                          c + row * c_stride, c_stride, accumulate || first > 0);
    for (; row < n; ++row)
      MultiplyRows<1>(block + row * row_stride, row_stride, k_stride, count, columns,
                      c + row * c_stride, c_stride, accumulate || first > 0);
  }
}

}  // namespace bagel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bagel {

HWY_EXPORT(MultiplyF32);

void MultiplyF32(const float* w, int64_t row_stride, int64_t k_stride, int64_t n, int64_t k,
                 const float* packed, float* c, int64_t c_stride, bool accumulate) {
  HWY_DYNAMIC_DISPATCH(MultiplyF32)
  (w, row_stride, k_stride, n, k, packed, c, c_stride, accumulate);
}

void PackGroupF32(const float* x, int64_t stride, int64_t count, int64_t k, float* packed) {
  // Blocks of 16 k keep the 32 source lines and the destination in the first-level cache.
  constexpr int64_t kBlock = 16;
  const bool blocks_done =
      count == kGroup && TransposeOutBlocks(x, stride, count, k, nullptr, false, packed, kGroup);
  for (int64_t first = blocks_done ? k / kBlock * kBlock : 0; first < k; first += kBlock) {
    const int64_t last = std::min(k, first + kBlock);
    for (int64_t m = 0; m < kGroup; ++m) {
      for (int64_t i = first; i < last; ++i)
        packed[i * kGroup + m] = m < count ? x[m * stride + i] : 0.0f;
    }
  }
}

void TransposeOut(const float* c, int64_t c_stride, int64_t n_count, int64_t rows,
                  const float* bias, bool add, float* y, int64_t y_stride) {
  constexpr int64_t kBlock = 16;
  const bool blocks_done = TransposeOutBlocks(c, c_stride, n_count, rows, bias, add, y, y_stride);
  const int64_t whole_n = blocks_done ? n_count / kBlock * kBlock : 0;
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t last = std::min(rows, first + kBlock);
    for (int64_t n = last - first == kBlock ? whole_n : 0; n < n_count; ++n) {
      const float offset = bias ? bias[n] : 0.0f;
      for (int64_t m = first; m < last; ++m) {
        float& out = y[m * y_stride + n];
        out = c[n * c_stride + m] + offset + (add ? out : 0.0f);
      }
    }
  }
}

}  // namespace bagel
#endif  // HWY_ONCE
