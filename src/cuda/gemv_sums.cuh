// What a lane of a product of few rows adds up.
#ifndef BAGEL_CUDA_GEMV_SUMS_CUH_
#define BAGEL_CUDA_GEMV_SUMS_CUH_

#include "cuda/gemv_stages.cuh"

namespace bagel::gemv {

// Where eight columns, 16 bytes, of a row of x lie in shared memory, counted in eights: the four
// quarters of a step that a warp reads at once on different banks.
template <typename Format>
__device__ __forceinline__ int PlaceOf(int group) {
  constexpr int kGroups = kLaneColumns<Format> / 8;  // of a lane
  const int quarter = group / kGroups % 4;
  return group ^ (2 * quarter % kGroups);
}

// Eight columns of the lane's part of a row of x: `x` is the row at the step in memory, or in
// shared memory, where `group` counts from the row's begin.
template <typename Format, bool kStreamed>
__device__ __forceinline__ uint4 LoadX(const __half* row, int group) {
  return reinterpret_cast<const uint4*>(row)[kStreamed ? group : PlaceOf<Format>(group)];
}

// Sums of a lane on the tensor cores: of row l / 4 of x outputs 2 (l % 4) and the next. Four of
// them, since a product waits for the one before.
template <typename Format, bool kStreamed>
struct TensorCoreSums {
  static constexpr bool kTensorCores = true;
  static constexpr int kBlocks = 2;
  using Stages = AsyncStages<Format>;
  float sums[4][4] = {};

  // `column` is the lane's first one.
  __device__ __forceinline__ void Add(const Stage& stage, const __half* x, int stride, int column,
                                      int rows, const unsigned* table) {
    // Rows that x has not repeat its last, and nobody looks at their sums.
    const int lane_row = static_cast<int>(threadIdx.x % 32 / 4);
    const int row = lane_row < rows ? lane_row : rows - 1;
    const __half2 scale = __float2half2_rn(stage.scale);
#pragma unroll
    for (int i = 0; i < kLaneColumns<Format> / 8; ++i) {
      const uint4 words = LoadX<Format, kStreamed>(x + row * stride, column / 8 + i);
#pragma unroll
      for (int pair = 0; pair < 4; pair += 2) {
        unsigned right[2];
#pragma unroll
        for (int j = 0; j < 2; ++j) {
          constexpr int kPairs = Format::kValues / 2;
          const int at = 4 * i + pair + j;
          __half2 halves = Format::Halves(stage.bits[at / kPairs], at % kPairs, table);
          if constexpr (Format::kBlock > 0) halves = __hmul2(halves, scale);
          right[j] = *reinterpret_cast<const unsigned*>(&halves);
        }
        const unsigned left[4] = {WordOf(words, pair), 0, WordOf(words, pair + 1), 0};
        MultiplyAdd16816(sums[i % 2 * 2 + pair / 2], left, right[0], right[1]);
      }
    }
  }

  __device__ __forceinline__ void Store(float (&tile)[kTile][kColumns]) const {
    const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
    for (int i = 0; i < 2; ++i)
      tile[lane % 4 * 2 + i][lane / 4] = sums[0][i] + sums[1][i] + (sums[2][i] + sums[3][i]);
  }
};

// Sums of a lane in registers: its share of output l / 4 of every row of x.
template <typename Format, bool kStreamed, int kRows>
struct MultiplyAddSums {
  static constexpr bool kTensorCores = false;
  static constexpr int kBlocks = kRows == 1 || (kRows == 2 && !kStreamed) ? 3 : 2;
  using Stages = DirectStages<Format>;
  float sums[kRows] = {};

  __device__ __forceinline__ void Add(const Stage& stage, const __half* x, int stride, int column,
                                      int, const unsigned* table) {
    float dots[kRows] = {};
#pragma unroll
    for (int i = 0; i < kLaneColumns<Format> / 8; ++i) {
      float2 weights[4];
#pragma unroll
      for (int pair = 0; pair < 4; ++pair) {
        constexpr int kPairs = Format::kValues / 2;
        const int at = 4 * i + pair;
        weights[pair] = __half22float2(Format::Halves(stage.bits[at / kPairs], at % kPairs, table));
      }
#pragma unroll
      for (int row = 0; row < kRows; ++row) {
        const uint4 words = LoadX<Format, kStreamed>(x + row * stride, column / 8 + i);
#pragma unroll
        for (int pair = 0; pair < 4; ++pair) {
          const float2 values = __half22float2(AsHalves(WordOf(words, pair)));
          dots[row] += weights[pair].x * values.x + weights[pair].y * values.y;
        }
      }
    }
#pragma unroll
    for (int row = 0; row < kRows; ++row)
      sums[row] += Format::kBlock > 0 ? dots[row] * stage.scale : dots[row];
  }

  __device__ __forceinline__ void Store(float (&tile)[kTile][kColumns]) const {
    const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      float sum = sums[row];
      sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 1);
      sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 2);
      if (lane % 4 == 0) tile[lane / 4][row] = sum;
    }
  }
};

}  // namespace bagel::gemv

#endif  // BAGEL_CUDA_GEMV_SUMS_CUH_
