// What a lane of a product of few rows adds up.
#ifndef BAGEL_CUDA_GEMV_SUMS_CUH_
#define BAGEL_CUDA_GEMV_SUMS_CUH_

#include "cuda/gemv_stages.cuh"

namespace bagel::gemv {

// Eight columns, 16 bytes, of a row of x are a group. In shared memory one group's room may be left
// after each chunk of a lane, so that the four quarters which a warp reads at once lie on different
// banks.
template <typename Format>
inline constexpr int kChunkGroups = Format::kValues / 8;
template <typename Format>
inline constexpr int kChunkRoom = kChunkGroups<Format> + (kChunkGroups<Format> == 4 ? 1 : 0);

template <typename Format>
__device__ __forceinline__ int PlaceOf(int group) {
  return group / kChunkGroups<Format> * kChunkRoom<Format> + group % kChunkGroups<Format>;
}

// A lane's part of the rows of x in shared memory.
template <typename Format>
struct LaneInput {
  static constexpr int kRoom = kChunkRoom<Format>;
  const uint4* first;
  int stride;  // groups of a row

  __device__ __forceinline__ LaneInput(const __half* x, int halves_of_row)
      : first(reinterpret_cast<const uint4*>(x) + threadIdx.x % 4 * kRoom),
        stride(halves_of_row / 8) {}

  // The groups of a chunk of a step, counted from the first that is in shared memory.
  __device__ __forceinline__ const uint4* At(int step, int chunk, int row) const {
    return first + row * stride + (step * kChunks + chunk) * 4 * kRoom;
  }
};

// Sums of a lane on the tensor cores: of outputs l / 4 and l / 4 + 8 rows 2 (l % 4) and the next of
// x. Four of them, since a product waits for the one before.
template <typename Format>
struct TensorCoreSums {
  static constexpr bool kTensorCores = true;
  static constexpr int kMostRows = kColumns;
  static constexpr float kTableScale = 1;
  using Stages = AsyncStages<Format>;
  float sums[4][4] = {};

  __device__ __forceinline__ void Add(const Stage<Format>& stage, const LaneInput<Format>& x,
                                      int step, int rows, const unsigned* table) {
    // Rows that x has not repeat its last, and nobody looks at their sums.
    const int lane_row = static_cast<int>(threadIdx.x % 32 / 4);
    const int row = lane_row < rows ? lane_row : rows - 1;
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      const uint4* from = x.At(step, chunk, row);
      __half2 scales[kLaneRows] = {};
      if constexpr (Format::kHasScales)
        for (int i = 0; i < kLaneRows; ++i)
          scales[i] = Format::ScaleOf(stage.scales[i], chunk, static_cast<int>(threadIdx.x % 4));
#pragma unroll
      for (int i = 0; i < kChunkGroups<Format>; ++i) {
        const uint4 words = from[i];
#pragma unroll
        for (int pair = 0; pair < 4; pair += 2) {
          unsigned left[4];
#pragma unroll
          for (int j = 0; j < 4; ++j) {
            __half2 halves = Format::Halves(stage.bits[j % 2][chunk], 4 * i + pair + j / 2, table);
            if constexpr (Format::kHasScales) halves = __hmul2(halves, scales[j % 2]);
            left[j] = *reinterpret_cast<const unsigned*>(&halves);
          }
          MultiplyAdd16816(sums[i % 2 * 2 + pair / 2], left, WordOf(words, pair),
                           WordOf(words, pair + 1));
        }
      }
    }
  }

  // To sums of rows of x, kTile each.
  __device__ __forceinline__ void Store(float* to, int rows) const {
    const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = lane % 4 * 2 + i % 2;
      if (row < rows)
        to[row * kTile + lane / 4 + i / 2 * 8] =
            sums[0][i] + sums[1][i] + (sums[2][i] + sums[3][i]);
    }
  }
};

// Sums of a lane in registers: its share of outputs l / 4 and l / 4 + 8 of every row of x.
template <typename Format, int kRows>
struct MultiplyAddSums {
  static constexpr bool kTensorCores = false;
  static constexpr int kMostRows = kRows;
  // Levels of a table are at most 1: so much smaller, eight products with any f16 add up in f16.
  static constexpr float kTableScale = 1.0f / 16;
  using Stages = DirectStages<Format>;
  float sums[kLaneRows][kRows] = {};

  __device__ __forceinline__ void Add(const Stage<Format>& stage, const LaneInput<Format>& x,
                                      int step, int, const unsigned* table) {
    constexpr int kTogether = kChunkGroups<Format> < 2 || kRows > 4 ? 1 : 2;
    constexpr float kFactor = Format::kTableWords > 0 ? 1 / kTableScale : 1.0f;
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      float dots[kLaneRows][kRows] = {};
#pragma unroll
      for (int i = 0; i < kChunkGroups<Format>; i += kTogether) {
        uint4 words[kRows][kTogether];
#pragma unroll
        for (int row = 0; row < kRows; ++row)
#pragma unroll
          for (int j = 0; j < kTogether; ++j) words[row][j] = x.At(step, chunk, row)[i + j];
#pragma unroll
        for (int lane_row = 0; lane_row < kLaneRows; ++lane_row)
          AddGroups(stage.bits[lane_row][chunk], i, words, dots[lane_row], table);
      }
#pragma unroll
      for (int lane_row = 0; lane_row < kLaneRows; ++lane_row) {
        float scale = kFactor;
        if constexpr (Format::kHasScales)
          scale *= __low2float(
              Format::ScaleOf(stage.scales[lane_row], chunk, static_cast<int>(threadIdx.x % 4)));
#pragma unroll
        for (int row = 0; row < kRows; ++row) sums[lane_row][row] += dots[lane_row][row] * scale;
      }
    }
  }

  __device__ __forceinline__ void Store(float* to, int rows) const {
    const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
    for (int lane_row = 0; lane_row < kLaneRows; ++lane_row) {
#pragma unroll
      for (int row = 0; row < kRows; ++row) {
        float sum = sums[lane_row][row];
        sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 1);
        sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 2);
        if (lane % 4 == 0 && row < rows) to[row * kTile + lane / 4 + 8 * lane_row] = sum;
      }
    }
  }

 private:
  // The columns of kTogether groups, at most two, from group i on.
  template <int kTogether>
  __device__ static __forceinline__ void AddGroups(const uint4& bits, int i,
                                                   const uint4 (&words)[kRows][kTogether],
                                                   float (&dots)[kRows], const unsigned* table) {
    __half2 chains[kRows] = {};
#pragma unroll
    for (int pair = 0; pair < 4 * kTogether; ++pair) {
      const __half2 weights = Format::Halves(bits, 4 * i + pair, table);
#pragma unroll
      for (int row = 0; row < kRows; ++row) {
        const __half2 values = AsHalves(WordOf(words[row][pair / 4], pair % 4));
        if constexpr (Format::kTableWords > 0) {
          chains[row] =
              pair == 0 ? __hmul2(weights, values) : __hfma2(weights, values, chains[row]);
        } else {
          const float2 a = __half22float2(weights), b = __half22float2(values);
          dots[row] += a.x * b.x + a.y * b.y;
        }
      }
    }
    if constexpr (Format::kTableWords > 0) {
#pragma unroll
      for (int row = 0; row < kRows; ++row) {
        const float2 sum = __half22float2(chains[row]);
        dots[row] += sum.x + sum.y;
      }
    }
  }
};

// Warps that bring a row of x into shared memory together: all of them where it is the only one,
// else enough for a lane to have registers for its part.
template <typename Sums, int kWarps>
__host__ __device__ constexpr int RowWarps() {
  constexpr int kLeast = 3, kMany = 4;
  return kWarps / Sums::kMostRows < kLeast ? kMany : kWarps / Sums::kMostRows;
}

}  // namespace bagel::gemv

#endif  // BAGEL_CUDA_GEMV_SUMS_CUH_
