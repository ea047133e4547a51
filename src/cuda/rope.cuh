// The norm of a head and its rotary position embedding.
#ifndef BAGEL_CUDA_ROPE_CUH_
#define BAGEL_CUDA_ROPE_CUH_

#include <cstdint>

#include "cuda/values.cuh"

namespace bagel {

// How heads are normed and turned.
struct Rope {
  int head_dim;
  float eps;
  const float* frequencies;  // [head_dim / 2]
  const int32_t* positions;  // of the step's rows
};

// Norms and turns heads of one row, a warp a head. A lane holds kPairs pairs, so heads are of up to
// 64 * kPairs. What does not depend on the head is found by the constructor.
template <int kPairs>
class HeadTurn {
 public:
  __device__ __forceinline__ HeadTurn(const float* weight, const Rope& rope, int row)
      : half_(rope.head_dim / 2), eps_(rope.eps) {
    const auto position = static_cast<float>(rope.positions[row]);
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const int i = Pair(j);
      const bool has = i < half_;
      low_weight_[j] = has ? weight[i] : 0.0f;
      high_weight_[j] = has ? weight[i + half_] : 0.0f;
      sincosf(has ? position * rope.frequencies[i] : 0.0f, &sine_[j], &cosine_[j]);
    }
  }

  // The head at `from` is left at `to`, which may be the same.
  template <typename To, typename From>
  __device__ __forceinline__ void Turn(To* to, const From* from) const {
    float low[kPairs], high[kPairs];
    float sum = 0;
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const int i = Pair(j);
      low[j] = i < half_ ? ToFloat(from[i]) : 0.0f;
      high[j] = i < half_ ? ToFloat(from[i + half_]) : 0.0f;
      sum += low[j] * low[j] + high[j] * high[j];
    }
    const float scale = 1.0f / sqrtf(WarpSum(sum) / static_cast<float>(2 * half_) + eps_);
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const int i = Pair(j);
      if (i >= half_) continue;
      const float a = low[j] * scale * low_weight_[j], b = high[j] * scale * high_weight_[j];
      to[i] = FromFloat<To>(a * cosine_[j] - b * sine_[j]);
      to[i + half_] = FromFloat<To>(b * cosine_[j] + a * sine_[j]);
    }
  }

 private:
  __device__ static int Pair(int j) { return static_cast<int>(threadIdx.x % 32) + 32 * j; }

  int half_;
  float eps_;
  float low_weight_[kPairs], high_weight_[kPairs], sine_[kPairs], cosine_[kPairs];
};

}  // namespace bagel

#endif  // BAGEL_CUDA_ROPE_CUH_
