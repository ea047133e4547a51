#include "cpu/winograd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/winograd.cc"
// clang-format off: this one comes first, it includes the file once for each target
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace bagel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32Tag = hn::CappedTag<float, 16>;
using One = hn::CappedTag<float, 1>;

// B' d B for as many channels as Tag has lanes.
template <typename Tag>
HWY_INLINE void Inputs(Tag tag, const float* HWY_RESTRICT x, int64_t channels, int64_t row_size,
                       float* HWY_RESTRICT numbers, int64_t distance) {
  using V = hn::Vec<Tag>;
  V rows[4][4];
  for (int column = 0; column < 4; ++column) {
    const float* from = x + column * channels;
    const V d0 = hn::LoadU(tag, from), d1 = hn::LoadU(tag, from + row_size);
    const V d2 = hn::LoadU(tag, from + 2 * row_size), d3 = hn::LoadU(tag, from + 3 * row_size);
    rows[0][column] = hn::Sub(d0, d2);
    rows[1][column] = hn::Add(d1, d2);
    rows[2][column] = hn::Sub(d2, d1);
    rows[3][column] = hn::Sub(d1, d3);
  }
  for (const auto& row : rows) {
    hn::StoreU(hn::Sub(row[0], row[2]), tag, numbers);
    hn::StoreU(hn::Add(row[1], row[2]), tag, numbers + distance);
    hn::StoreU(hn::Sub(row[2], row[1]), tag, numbers + 2 * distance);
    hn::StoreU(hn::Sub(row[1], row[3]), tag, numbers + 3 * distance);
    numbers += 4 * distance;
  }
}

void TransformInputs(const float* x, int64_t channels, int64_t row_size, int64_t count,
                     float* numbers, int64_t distance) {
  constexpr auto kLanes = static_cast<int64_t>(hn::MaxLanes(F32Tag()));
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    Inputs(F32Tag(), x + i, channels, row_size, numbers + i, distance);
  for (; i < count; ++i) Inputs(One(), x + i, channels, row_size, numbers + i, distance);
}

// A' m A.
void TransformSums(float* sums, int64_t count, int64_t distance) {
  using V = hn::Vec<F32Tag>;
  const F32Tag tag;
  constexpr auto kLanes = static_cast<int64_t>(hn::MaxLanes(F32Tag()));
  for (int64_t i = 0; i < count; i += kLanes) {
    V upper[4], lower[4];
    for (int column = 0; column < 4; ++column) {
      const float* from = sums + column * distance + i;
      const V m0 = hn::LoadU(tag, from), m1 = hn::LoadU(tag, from + 4 * distance);
      const V m2 = hn::LoadU(tag, from + 8 * distance), m3 = hn::LoadU(tag, from + 12 * distance);
      upper[column] = hn::Add(hn::Add(m0, m1), m2);
      lower[column] = hn::Sub(hn::Sub(m1, m2), m3);
    }
    const auto store = [&](const V(&row)[4], float* to) HWY_ATTR {
      hn::StoreU(hn::Add(hn::Add(row[0], row[1]), row[2]), tag, to);
      hn::StoreU(hn::Sub(hn::Sub(row[1], row[2]), row[3]), tag, to + distance);
    };
    store(upper, sums + i);
    store(lower, sums + 2 * distance + i);
  }
}

}  // namespace bagel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bagel {

HWY_EXPORT(TransformInputs);
HWY_EXPORT(TransformSums);

void TransformInputs(const float* x, int64_t channels, int64_t row_size, int64_t count,
                     float* numbers, int64_t distance) {
  HWY_DYNAMIC_DISPATCH(TransformInputs)(x, channels, row_size, count, numbers, distance);
}

void TransformSums(float* sums, int64_t count, int64_t distance) {
  HWY_DYNAMIC_DISPATCH(TransformSums)(sums, count, distance);
}

void TransformKernel(const float* taps, int64_t channels, float* w, int64_t distance) {
  for (int64_t i = 0; i < channels; ++i) {
    float rows[4][3];  // G g, then (G g) G'
    for (int64_t column = 0; column < 3; ++column) {
      const float* from = taps + column * channels + i;
      const float g0 = from[0], g1 = from[3 * channels], g2 = from[6 * channels];
      rows[0][column] = g0;
      rows[1][column] = 0.5f * (g0 + g1 + g2);
      rows[2][column] = 0.5f * (g0 - g1 + g2);
      rows[3][column] = g2;
    }
    float* to = w + i;
    for (const auto& [g0, g1, g2] : rows) {
      to[0] = g0;
      to[distance] = 0.5f * (g0 + g1 + g2);
      to[2 * distance] = 0.5f * (g0 - g1 + g2);
      to[3 * distance] = g2;
      to += 4 * distance;
    }
  }
}

}  // namespace bagel
#endif  // HWY_ONCE
