#include "cpu/weights.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/weights.cc"
// clang-format off: this one comes first, it includes the file once for each target
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include "base/error.h"
#include "cpu/nf4.h"
#include "quant/half.h"

HWY_BEFORE_NAMESPACE();
namespace bagel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32Tag = hn::CappedTag<float, 16>;
using V = hn::Vec<F32Tag>;
constexpr F32Tag kTag;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(F32Tag()));

struct Pair {
  V a, b;
  // Written out, since GCC makes the implicit ones for another target than the vectors'.
  HWY_ATTR Pair() {}
  HWY_ATTR Pair(V first, V second) : a(first), b(second) {}
};

// One row of a weight as f32: Load gives kLanes values in order, One a single value, and LoadPair
// 2 kLanes values as it comes cheapest: in order, or the even ones and the odd ones (kEvenOdd).
struct F32Row {
  static constexpr bool kEvenOdd = false;
  const float* values;
  F32Row(const Weight& weight, int64_t row)
      : values(static_cast<const float*>(weight.data) + row * weight.in) {}
  HWY_INLINE V Load(int64_t i) const { return hn::LoadU(kTag, values + i); }
  HWY_INLINE Pair LoadPair(int64_t i) const { return {Load(i), Load(i + kLanes)}; }
  HWY_INLINE void Prefetch(int64_t i) const { __builtin_prefetch(values + i + 512); }
  float One(int64_t i) const { return values[i]; }
};

struct F16Row {
  static constexpr bool kEvenOdd = false;
  const uint16_t* values;
  F16Row(const Weight& weight, int64_t row)
      : values(static_cast<const uint16_t*>(weight.data) + row * weight.in) {}
  HWY_INLINE V Load(int64_t i) const {
    const hn::Rebind<uint16_t, F32Tag> half_bits;
    const hn::Rebind<hwy::float16_t, F32Tag> half;
    return hn::PromoteTo(kTag, hn::BitCast(half, hn::LoadU(half_bits, values + i)));
  }
  HWY_INLINE Pair LoadPair(int64_t i) const { return {Load(i), Load(i + kLanes)}; }
  HWY_INLINE void Prefetch(int64_t i) const { __builtin_prefetch(values + i + 1024); }
  float One(int64_t i) const { return F16ToF32(values[i]); }
};

struct BF16Row {
  const uint16_t* values;
  BF16Row(const Weight& weight, int64_t row)
      : values(static_cast<const uint16_t*>(weight.data) + row * weight.in) {}
  HWY_INLINE V Load(int64_t i) const {
    const hn::Rebind<uint16_t, F32Tag> half;
    const hn::Rebind<uint32_t, F32Tag> whole;
    return hn::BitCast(kTag, hn::ShiftLeft<16>(hn::PromoteTo(whole, hn::LoadU(half, values + i))));
  }
#if HWY_TARGET == HWY_SCALAR
  static constexpr bool kEvenOdd = false;
  HWY_INLINE Pair LoadPair(int64_t i) const { return {Load(i), Load(i + kLanes)}; }
#else
  static constexpr bool kEvenOdd = true;
  HWY_INLINE Pair LoadPair(int64_t i) const {
    // Two neighbours lie in one 32-bit word: a shift frees the first, a mask the second.
    const hn::Rebind<uint32_t, F32Tag> word_tag;
    const hn::Repartition<uint16_t, decltype(word_tag)> half_tag;
    const auto words = hn::BitCast(word_tag, hn::LoadU(half_tag, values + i));
    return {hn::BitCast(kTag, hn::ShiftLeft<16>(words)),
            hn::BitCast(kTag, hn::And(words, hn::Set(word_tag, 0xFFFF0000u)))};
  }
#endif
  HWY_INLINE void Prefetch(int64_t i) const { __builtin_prefetch(values + i + 1024); }
  float One(int64_t i) const { return BF16ToF32(values[i]); }
};

struct Int8Row {
  static constexpr bool kEvenOdd = false;
  const int8_t* codes;
  const uint16_t* scales;
  Int8Row(const Weight& weight, int64_t row)
      : codes(static_cast<const int8_t*>(weight.data) + row * weight.in),
        scales(static_cast<const uint16_t*>(weight.scales) + row * ScaleBlocks(weight.in)) {}
  HWY_INLINE V Load(int64_t i) const {
    const hn::Rebind<int8_t, F32Tag> narrow;
    const hn::Rebind<int32_t, F32Tag> wide;
    const V code = hn::ConvertTo(kTag, hn::PromoteTo(wide, hn::LoadU(narrow, codes + i)));
    return hn::Mul(code, hn::Set(kTag, F16ToF32(scales[i / kInt8BlockSize])));
  }
  HWY_INLINE Pair LoadPair(int64_t i) const { return {Load(i), Load(i + kLanes)}; }
  HWY_INLINE void Prefetch(int64_t i) const { __builtin_prefetch(codes + i + 1024); }
  float One(int64_t i) const {
    return static_cast<float>(codes[i]) * F16ToF32(scales[i / kInt8BlockSize]);
  }
};

// 2 kLanes values of x in the order of Row::LoadPair.
template <typename Row>
HWY_INLINE Pair LoadActivations(const float* x) {
  const V first = hn::LoadU(kTag, x), second = hn::LoadU(kTag, x + kLanes);
#if HWY_TARGET != HWY_SCALAR
  if constexpr (Row::kEvenOdd)
    return {hn::ConcatEven(kTag, second, first), hn::ConcatOdd(kTag, second, first)};
#endif
  return {first, second};
}

// kWRows rows of the weight against kXRows rows of x: several rows at once keep several streams
// from memory going and read x once for all of them.
template <typename Row, int kWRows, int kXRows>
HWY_INLINE void DotBlock(const Weight& weight, int64_t n, const float* x, int64_t x_stride,
                         bool add, float* y, int64_t y_stride) {
  const int64_t in = weight.in;
  const int64_t whole = in / (2 * kLanes) * (2 * kLanes);
  V sums[kWRows][kXRows];
  for (int r = 0; r < kWRows; ++r) {
    for (int m = 0; m < kXRows; ++m) sums[r][m] = hn::Zero(kTag);
  }
  for (int64_t i = 0; i < whole; i += 2 * kLanes) {
    Pair values[kXRows];
    for (int m = 0; m < kXRows; ++m) values[m] = LoadActivations<Row>(x + m * x_stride + i);
    for (int r = 0; r < kWRows; ++r) {
      const Row row(weight, n + r);
      row.Prefetch(i);
      const Pair w = row.LoadPair(i);
      for (int m = 0; m < kXRows; ++m) {
        sums[r][m] = hn::MulAdd(w.a, values[m].a, sums[r][m]);
        sums[r][m] = hn::MulAdd(w.b, values[m].b, sums[r][m]);
      }
    }
  }
  for (int r = 0; r < kWRows; ++r) {
    const Row row(weight, n + r);
    const float bias = weight.bias ? weight.bias[n + r] : 0.0f;
    for (int m = 0; m < kXRows; ++m) {
      float sum = hn::GetLane(hn::SumOfLanes(kTag, sums[r][m]));
      for (int64_t i = whole; i < in; ++i) sum += row.One(i) * x[m * x_stride + i];
      float& out = y[m * y_stride + n + r];
      out = sum + bias + (add ? out : 0.0f);
    }
  }
}

template <typename Row, int kXRows>
void DotRowsOf(const Weight& weight, int64_t first, int64_t last, const float* x, int64_t x_stride,
               bool add, float* y, int64_t y_stride) {
  constexpr int kWRows = kXRows <= 2 ? kDotBlockRows : 2;
  int64_t n = first;
  for (; n + kWRows <= last; n += kWRows)
    DotBlock<Row, kWRows, kXRows>(weight, n, x, x_stride, add, y, y_stride);
  for (; n < last; ++n) DotBlock<Row, 1, kXRows>(weight, n, x, x_stride, add, y, y_stride);
}

template <typename Row>
void DotRowsFor(const Weight& weight, int64_t first, int64_t last, const float* x, int64_t x_stride,
                int64_t rows, bool add, float* y, int64_t y_stride) {
  using Function =
      void (*)(const Weight&, int64_t, int64_t, const float*, int64_t, bool, float*, int64_t);
  static constexpr Function kByRows[kMaxDotRows] = {
      DotRowsOf<Row, 1>, DotRowsOf<Row, 2>, DotRowsOf<Row, 3>, DotRowsOf<Row, 4>,
      DotRowsOf<Row, 5>, DotRowsOf<Row, 6>, DotRowsOf<Row, 7>, DotRowsOf<Row, 8>};
  kByRows[rows - 1](weight, first, last, x, x_stride, add, y, y_stride);
}

void DotRows(const Weight& weight, int64_t first, int64_t last, const float* x, int64_t x_stride,
             int64_t rows, bool add, float* y, int64_t y_stride) {
  switch (weight.format) {
    case WeightFormat::kF32:
      return DotRowsFor<F32Row>(weight, first, last, x, x_stride, rows, add, y, y_stride);
    case WeightFormat::kF16:
      return DotRowsFor<F16Row>(weight, first, last, x, x_stride, rows, add, y, y_stride);
    case WeightFormat::kBF16:
      return DotRowsFor<BF16Row>(weight, first, last, x, x_stride, rows, add, y, y_stride);
    case WeightFormat::kInt8Block64:
      return DotRowsFor<Int8Row>(weight, first, last, x, x_stride, rows, add, y, y_stride);
    case WeightFormat::kNf4:
      return DotUnalignedRowsNf4(weight, first, last, x, x_stride, rows, add, y, y_stride);
  }
}

template <typename Row>
void UnpackColumnsOf(const Weight& weight, int64_t row_index, int64_t first, int64_t count,
                     float* values) {
  const Row row(weight, row_index);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) hn::StoreU(row.Load(first + i), kTag, values + i);
  for (; i < count; ++i) values[i] = row.One(first + i);
}

void UnpackColumns(const Weight& weight, int64_t row, int64_t first, int64_t count, float* values) {
  switch (weight.format) {
    case WeightFormat::kF32:
      return UnpackColumnsOf<F32Row>(weight, row, first, count, values);
    case WeightFormat::kF16:
      return UnpackColumnsOf<F16Row>(weight, row, first, count, values);
    case WeightFormat::kBF16:
      return UnpackColumnsOf<BF16Row>(weight, row, first, count, values);
    case WeightFormat::kInt8Block64:
      return UnpackColumnsOf<Int8Row>(weight, row, first, count, values);
    case WeightFormat::kNf4:
      return UnpackColumnsNf4(weight, row, first, count, values);
  }
}

}  // namespace bagel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bagel {

HWY_EXPORT(DotRows);
HWY_EXPORT(UnpackColumns);

void DotRows(const Weight& weight, int64_t first, int64_t last, const float* x, int64_t x_stride,
             int64_t rows, bool add, float* y, int64_t y_stride) {
  CHECK(rows >= 1 && rows <= kMaxDotRows);
  HWY_DYNAMIC_DISPATCH(DotRows)(weight, first, last, x, x_stride, rows, add, y, y_stride);
}

void UnpackColumns(const Weight& weight, int64_t row, int64_t first, int64_t count, float* values) {
  // A vector must not straddle two blocks that have different scales.
  CHECK(weight.format != WeightFormat::kInt8Block64 || first % kInt8BlockSize == 0);
  HWY_DYNAMIC_DISPATCH(UnpackColumns)(weight, row, first, count, values);
}

}  // namespace bagel
#endif  // HWY_ONCE
