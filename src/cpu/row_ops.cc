#include "cpu/row_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/row_ops.cc"
// clang-format off: this one comes first, it includes the file once for each target
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <cmath>
#include <limits>

#include "cpu/tile.h"

HWY_BEFORE_NAMESPACE();
namespace bagel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32Tag = hn::CappedTag<float, 16>;
using V = hn::Vec<F32Tag>;
constexpr F32Tag kTag;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(F32Tag()));

// Calls vector(i) for whole vectors and scalar(i) for what is left.
template <typename Vector, typename Scalar>
HWY_INLINE void ForRow(int64_t count, const Vector& vector, const Scalar& scalar) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) vector(i);
  for (; i < count; ++i) scalar(i);
}

HWY_INLINE V Sigmoid(V x) {
  const V one = hn::Set(kTag, 1.0f);
  // exp overflows past 88; sigmoid(-88) is 0 in f32 all the same.
  const V bounded = hn::Min(hn::Neg(x), hn::Set(kTag, 88.0f));
  return hn::Div(one, hn::Add(one, hn::Exp(kTag, bounded)));
}

inline float SigmoidScalar(float x) { return 1.0f / (1.0f + std::exp(-x)); }

void RmsNormRow(float* y, const float* x, const float* weight, int64_t count, float eps) {
  // At least 32 numbers are summed apart, since fewer lose a digit over a long row.
  constexpr int64_t kSums = kLanes < 8 ? 32 / kLanes : 4;
  V sums[kSums];
  for (V& sum : sums) sum = hn::Zero(kTag);
  const int64_t whole = count / (kSums * kLanes) * (kSums * kLanes);
  for (int64_t i = 0; i < whole; i += kSums * kLanes) {
    for (int64_t s = 0; s < kSums; ++s) {
      const V v = hn::LoadU(kTag, x + i + s * kLanes);
      sums[s] = hn::MulAdd(v, v, sums[s]);
    }
  }
  float rest = 0;
  for (int64_t i = whole; i < count; ++i) rest += x[i] * x[i];
  for (int64_t step = 1; step < kSums; step *= 2) {
    for (int64_t s = 0; s < kSums; s += 2 * step) sums[s] = hn::Add(sums[s], sums[s + step]);
  }
  const float sum = hn::GetLane(hn::SumOfLanes(kTag, sums[0])) + rest;
  const float scale = 1.0f / std::sqrt(sum / static_cast<float>(count) + eps);
  const V scales = hn::Set(kTag, scale);
  ForRow(
      count,
      [&](int64_t i) {
        const V v = hn::Mul(hn::LoadU(kTag, x + i), scales);
        hn::StoreU(hn::Mul(v, hn::LoadU(kTag, weight + i)), kTag, y + i);
      },
      [&](int64_t i) { y[i] = x[i] * scale * weight[i]; });
}

void LayerNormRow(float* y, const float* x, const float* weight, const float* bias, int64_t count,
                  float eps) {
  V sums = hn::Zero(kTag);
  float rest = 0;
  ForRow(
      count, [&](int64_t i) { sums = hn::Add(sums, hn::LoadU(kTag, x + i)); },
      [&](int64_t i) { rest += x[i]; });
  const float mean = (hn::GetLane(hn::SumOfLanes(kTag, sums)) + rest) / static_cast<float>(count);
  const V means = hn::Set(kTag, mean);
  sums = hn::Zero(kTag);
  rest = 0;
  ForRow(
      count,
      [&](int64_t i) {
        const V v = hn::Sub(hn::LoadU(kTag, x + i), means);
        sums = hn::MulAdd(v, v, sums);
      },
      [&](int64_t i) { rest += (x[i] - mean) * (x[i] - mean); });
  const float variance =
      (hn::GetLane(hn::SumOfLanes(kTag, sums)) + rest) / static_cast<float>(count);
  const float scale = 1.0f / std::sqrt(variance + eps);
  const V scales = hn::Set(kTag, scale);
  ForRow(
      count,
      [&](int64_t i) {
        const V v = hn::Mul(hn::Sub(hn::LoadU(kTag, x + i), means), scales);
        const V scaled = hn::MulAdd(v, hn::LoadU(kTag, weight + i), hn::LoadU(kTag, bias + i));
        hn::StoreU(scaled, kTag, y + i);
      },
      [&](int64_t i) { y[i] = (x[i] - mean) * scale * weight[i] + bias[i]; });
}

void GeluTanhRow(float* x, int64_t count) {
  constexpr float kTwice = 1.5957691216057308f;  // 2 sqrt(2 / pi)
  constexpr float kCubic = 0.044715f * kTwice;
  ForRow(
      count,
      [&](int64_t i) {
        const V v = hn::LoadU(kTag, x + i);
        const V cubic = hn::MulAdd(hn::Mul(v, v), hn::Set(kTag, kCubic), hn::Set(kTag, kTwice));
        hn::StoreU(hn::Mul(v, Sigmoid(hn::Mul(v, cubic))), kTag, x + i);
      },
      [&](int64_t i) { x[i] *= SigmoidScalar(x[i] * (kTwice + kCubic * x[i] * x[i])); });
}

void SiluRow(float* x, int64_t count) {
  ForRow(
      count,
      [&](int64_t i) {
        const V v = hn::LoadU(kTag, x + i);
        hn::StoreU(hn::Mul(v, Sigmoid(v)), kTag, x + i);
      },
      [&](int64_t i) { x[i] *= SigmoidScalar(x[i]); });
}

void SwiGluRow(float* y, const float* gate, const float* up, int64_t count) {
  ForRow(
      count,
      [&](int64_t i) {
        const V g = hn::LoadU(kTag, gate + i);
        hn::StoreU(hn::Mul(hn::Mul(g, Sigmoid(g)), hn::LoadU(kTag, up + i)), kTag, y + i);
      },
      [&](int64_t i) { y[i] = gate[i] * SigmoidScalar(gate[i]) * up[i]; });
}

void RotateRow(float* x, const float* cosines, const float* sines, int64_t half) {
  ForRow(
      half,
      [&](int64_t i) {
        const V a = hn::LoadU(kTag, x + i), b = hn::LoadU(kTag, x + half + i);
        const V c = hn::LoadU(kTag, cosines + i), s = hn::LoadU(kTag, sines + i);
        hn::StoreU(hn::NegMulAdd(b, s, hn::Mul(a, c)), kTag, x + i);
        hn::StoreU(hn::MulAdd(a, s, hn::Mul(b, c)), kTag, x + half + i);
      },
      [&](int64_t i) {
        const float a = x[i], b = x[half + i];
        x[i] = a * cosines[i] - b * sines[i];
        x[half + i] = b * cosines[i] + a * sines[i];
      });
}

void SoftmaxBlock(float* scores, int64_t keys, const int32_t* limits, bool masked, float scale,
                  float* maximum, float* total, float* correction) {
  const V scales = hn::Set(kTag, scale);
  const V lowest = hn::Set(kTag, std::numeric_limits<float>::lowest());
  const hn::RebindToSigned<F32Tag> int_tag;
  for (int64_t m = 0; m < kGroup; m += kLanes) {
    const auto limit = hn::LoadU(int_tag, limits + m);
    const auto visible = [&](int64_t key) {
      return hn::RebindMask(kTag, hn::Gt(limit, hn::Set(int_tag, static_cast<int32_t>(key))));
    };
    const V old_maximum = hn::LoadU(kTag, maximum + m);
    V new_maximum = old_maximum;
    for (int64_t key = 0; key < keys; ++key) {
      V s = hn::Mul(hn::LoadU(kTag, scores + key * kGroup + m), scales);
      if (masked) s = hn::IfThenElse(visible(key), s, lowest);
      hn::StoreU(s, kTag, scores + key * kGroup + m);
      new_maximum = hn::Max(new_maximum, s);
    }
    const V shrink = hn::Exp(kTag, hn::Sub(old_maximum, new_maximum));
    V sum = hn::Mul(hn::LoadU(kTag, total + m), shrink);
    for (int64_t key = 0; key < keys; ++key) {
      const V s = hn::LoadU(kTag, scores + key * kGroup + m);
      V p = hn::Exp(kTag, hn::Sub(s, new_maximum));
      if (masked) p = hn::IfThenElseZero(visible(key), p);
      hn::StoreU(p, kTag, scores + key * kGroup + m);
      sum = hn::Add(sum, p);
    }
    hn::StoreU(new_maximum, kTag, maximum + m);
    hn::StoreU(sum, kTag, total + m);
    hn::StoreU(shrink, kTag, correction + m);
  }
}

void ScaleColumns(float* c, int64_t rows, const float* factor) {
  for (int64_t n = 0; n < rows; ++n) {
    for (int64_t m = 0; m < kGroup; m += kLanes) {
      float* values = c + n * kGroup + m;
      hn::StoreU(hn::Mul(hn::LoadU(kTag, values), hn::LoadU(kTag, factor + m)), kTag, values);
    }
  }
}

}  // namespace bagel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bagel {

HWY_EXPORT(RmsNormRow);
HWY_EXPORT(LayerNormRow);
HWY_EXPORT(GeluTanhRow);
HWY_EXPORT(SiluRow);
HWY_EXPORT(SwiGluRow);
HWY_EXPORT(RotateRow);
HWY_EXPORT(SoftmaxBlock);
HWY_EXPORT(ScaleColumns);

void RmsNormRow(float* y, const float* x, const float* weight, int64_t count, float eps) {
  HWY_DYNAMIC_DISPATCH(RmsNormRow)(y, x, weight, count, eps);
}
void LayerNormRow(float* y, const float* x, const float* weight, const float* bias, int64_t count,
                  float eps) {
  HWY_DYNAMIC_DISPATCH(LayerNormRow)(y, x, weight, bias, count, eps);
}
void GeluTanhRow(float* x, int64_t count) { HWY_DYNAMIC_DISPATCH(GeluTanhRow)(x, count); }
void SiluRow(float* x, int64_t count) { HWY_DYNAMIC_DISPATCH(SiluRow)(x, count); }
void SwiGluRow(float* y, const float* gate, const float* up, int64_t count) {
  HWY_DYNAMIC_DISPATCH(SwiGluRow)(y, gate, up, count);
}
void RotateRow(float* x, const float* cosines, const float* sines, int64_t half) {
  HWY_DYNAMIC_DISPATCH(RotateRow)(x, cosines, sines, half);
}
void SoftmaxBlock(float* scores, int64_t keys, const int32_t* limits, bool masked, float scale,
                  float* maximum, float* total, float* correction) {
  HWY_DYNAMIC_DISPATCH(SoftmaxBlock)
  (scores, keys, limits, masked, scale, maximum, total, correction);
}
void ScaleColumns(float* c, int64_t rows, const float* factor) {
  HWY_DYNAMIC_DISPATCH(ScaleColumns)(c, rows, factor);
}

}  // namespace bagel
#endif  // HWY_ONCE
