// The norm of a head and its rotary position embedding.
#ifndef BAGEL_CUDA_ROPE_CUH_
#define BAGEL_CUDA_ROPE_CUH_

#include <cstdint>

#include "cuda/heads.cuh"
#include "cuda/values.cuh"

namespace bagel {

// How heads are normed and turned.
struct Rope {
  int head_dim;
  float eps;
  const float* frequencies;  // [head_dim / 2]
  const int32_t* positions;  // of the step's rows
};

// Norms and turns heads of one row. What does not depend on the head is found by the constructor.
template <int kPairs>
class HeadTurn {
 public:
  __device__ __forceinline__ HeadTurn(const float* weight, const Rope& rope, int row)
      : half_(rope.head_dim / 2), eps_(rope.eps) {
    const auto position = static_cast<float>(rope.positions[row]);
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const int i = Head<kPairs>::Pair(j);
      const bool has = i < half_;
      low_weight_[j] = has ? weight[i] : 0.0f;
      high_weight_[j] = has ? weight[i + half_] : 0.0f;
      sincosf(has ? position * rope.frequencies[i] : 0.0f, &sine_[j], &cosine_[j]);
    }
  }

  __device__ __forceinline__ void Turn(Head<kPairs>& head) const {
    float sum = 0;
#pragma unroll
    for (int j = 0; j < kPairs; ++j) sum += head.low[j] * head.low[j] + head.high[j] * head.high[j];
    const float scale = 1.0f / sqrtf(WarpSum(sum) / static_cast<float>(2 * half_) + eps_);
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const float a = head.low[j] * scale * low_weight_[j];
      const float b = head.high[j] * scale * high_weight_[j];
      head.low[j] = a * cosine_[j] - b * sine_[j];
      head.high[j] = b * cosine_[j] + a * sine_[j];
    }
  }

 private:
  int half_;
  float eps_;
  float low_weight_[kPairs], high_weight_[kPairs], sine_[kPairs], cosine_[kPairs];
};

}  // namespace bagel

#endif  // BAGEL_CUDA_ROPE_CUH_
