// The kernel of products of few rows.
#ifndef BAGEL_CUDA_GEMV_KERNEL_CUH_
#define BAGEL_CUDA_GEMV_KERNEL_CUH_

#include "cuda/gemv_sums.cuh"

namespace bagel::gemv {

// x into shared memory.
template <typename Format, int kThreads>
__device__ __forceinline__ void StageRows(__half* staged, const Problem<Format>& problem) {
#pragma unroll 1
  for (int row = 0; row < problem.rows; ++row) {
    auto* to = reinterpret_cast<uint4*>(staged + row * problem.stride);
#pragma unroll 2
    for (int group = static_cast<int>(threadIdx.x); group < problem.in / 8; group += kThreads)
      to[PlaceOf<Format>(group)] = *reinterpret_cast<const uint4*>(problem.x.At(row, 8 * group));
  }
}

// RmsNorm of the residual stream's rows instead.
template <typename Format, int kThreads>
__device__ __forceinline__ void StageNormedRows(__half* staged, const Problem<Format>& problem) {
  constexpr int kGroups = (kMostNormColumns / 8 + kThreads - 1) / kThreads;  // of a thread
  const int thread = static_cast<int>(threadIdx.x);
#pragma unroll 1
  for (int row = 0; row < problem.rows; ++row) {
    float values[kGroups][8] = {}, sum = 0;
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
      const int column = 8 * (thread + i * kThreads);
      if (column < problem.in) LoadValues<8>(problem.hidden.At(row, column), values[i]);
#pragma unroll
      for (const float value : values[i]) sum += value * value;
    }
    const float scale = 1.0f / sqrtf(BlockSum(sum) / static_cast<float>(problem.in) + problem.eps);
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
      const int group = thread + i * kThreads;
      if (8 * group >= problem.in) continue;
      float weights[8];
      LoadValues<8>(problem.norm + 8 * group, weights);
#pragma unroll
      for (int j = 0; j < 8; ++j) weights[j] *= values[i][j] * scale;
      StoreValues<8>(staged + row * problem.stride + 8 * PlaceOf<Format>(group), weights);
    }
  }
}

__device__ __forceinline__ void StoreValue(void* y, int64_t index, bool half, bool add,
                                           float value) {
  if (half) {
    auto* to = static_cast<__half*>(y) + index;
    *to = FromFloat<__half>(add ? ToFloat(*to) + value : value);
  } else {
    auto* to = static_cast<float*>(y) + index;
    *to = add ? *to + value : value;
  }
}

// Adds up what the warps left, [warps][rows of x][kTile], and stores it.
template <typename Format, int kThreads>
__device__ __forceinline__ void StoreUnit(const Problem<Format>& problem, const float* partials,
                                          int unit) {
  const int parts = problem.gated ? problem.parts / 2 : problem.parts;
  const auto sum_of_warps = [&](int first, int row, int output) {
    const float* from = partials + (first * problem.rows + row) * kTile + output;
    float sum = 0;
#pragma unroll 4
    for (int i = 0; i < problem.split; ++i) sum += from[i * problem.rows * kTile];
    return sum;
  };
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < parts * problem.rows * kTile; i += kThreads) {
    const int output = i % kTile, row = i / kTile % problem.rows, part = i / kTile / problem.rows;
    const Tile<Format> tile(problem, unit, part);
    const Matrix<Format> matrix = problem.MatrixOf(tile.matrix);
    const int column = tile.first + output;
    if (output >= problem.tile || column >= matrix.out) continue;
    float value = sum_of_warps(part * problem.split, row, output);
    if (problem.gated)
      value *= sum_of_warps((parts + part) * problem.split, row, output) / (1.0f + __expf(-value));
    value = value * problem.scale + (matrix.bias != nullptr ? matrix.bias[column] : 0.0f);
    StoreValue(matrix.y, row * matrix.stride + column, problem.half, problem.add, value);
  }
}

// Floats of what the warps of a block leave of one unit.
constexpr int PartialsOf(int warps, int rows) { return warps * rows * kTile; }

// kStreamed: x does not fit into shared memory.
template <typename Format, typename Sums, int kWarps, bool kStreamed>
__device__ __forceinline__ void MultiplyRows(const Problem<Format>& problem) {
  constexpr int kThreads = kWarps * 32;
  using Stages = typename Sums::Stages;
  __shared__ unsigned table[Format::kTableWords > 0 ? Format::kTableWords : 1];
  auto* memory = reinterpret_cast<char*>(SharedMemory());
  auto* partials = reinterpret_cast<float*>(memory + kWarps * Stages::kWarpBytes);
  auto* staged = reinterpret_cast<__half*>(partials + 2 * PartialsOf(kWarps, problem.rows));
  const int warp = static_cast<int>(threadIdx.x / 32), part = warp / problem.split;
  const int steps = problem.in / Format::kStepColumns;
  const int share = warp - part * problem.split;
  const bool idle = part >= problem.parts;
  const int begin = idle ? 0 : steps * share / problem.split;
  const int end = idle ? 0 : steps * (share + 1) / problem.split;

  Stages stages(memory + warp * Stages::kWarpBytes, problem, part, begin, end);
  problem.matrices[0].weight.MakeTable(table, Sums::kTableScale);
  LetLaterKernelsStart();
  WaitForEarlierKernels();
  if constexpr (!kStreamed) {
    if (problem.norm != nullptr)
      StageNormedRows<Format, kThreads>(staged, problem);
    else
      StageRows<Format, kThreads>(staged, problem);
  }
  __syncthreads();

  const LaneInput<Format, kStreamed> x(problem, kStreamed ? problem.x.data : staged);
  int turn = 0;
#pragma unroll 1
  for (int unit = static_cast<int>(blockIdx.x); unit < problem.units;
       unit += static_cast<int>(gridDim.x)) {
    Sums sums;
#pragma unroll 1
    for (int step = begin; step < end; ++step) {
      const Stage<Format> stage = stages.Take();
      sums.Add(stage, x, step, problem.rows, table);
    }
    float* all = partials + turn * PartialsOf(kWarps, problem.rows);
    sums.Store(all + PartialsOf(warp, problem.rows), problem.rows);
    __syncthreads();
    StoreUnit<Format, kThreads>(problem, all, unit);
    turn = 1 - turn;
  }
}

template <typename Format, typename Sums, int kWarps, bool kStreamed>
__global__ void __launch_bounds__(kWarps * 32, 1)
    GemvKernel([[maybe_unused]] const Problem<Format> problem) {
  if constexpr (kHasMma || !Sums::kTensorCores)
    MultiplyRows<Format, Sums, kWarps, kStreamed>(problem);
}

// Bytes of a row of x in shared memory, padded so that the next lies on other banks.
template <typename Format>
constexpr size_t BytesOfRow(int64_t in) {
  const int64_t groups = in / Format::kValues * kChunkRoom<Format>;
  return 16 * static_cast<size_t>((groups + 11) / 8 * 8 - 4);
}

// Dynamic shared memory that a kernel needs for `rows` rows of x besides x itself.
template <typename Sums, int kWarps>
constexpr size_t FixedShared(int rows) {
  constexpr int kFloat = sizeof(float);
  return static_cast<size_t>(kWarps * Sums::Stages::kWarpBytes +
                             2 * kFloat * PartialsOf(kWarps, rows));
}

}  // namespace bagel::gemv

#endif  // BAGEL_CUDA_GEMV_KERNEL_CUH_
