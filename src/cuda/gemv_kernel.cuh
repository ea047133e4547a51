// The kernel of products of few rows.
#ifndef BAGEL_CUDA_GEMV_KERNEL_CUH_
#define BAGEL_CUDA_GEMV_KERNEL_CUH_

#include "cuda/gemv_sums.cuh"

namespace bagel::gemv {

// x into shared memory, zeros behind its columns.
template <typename Format>
__device__ __forceinline__ void StageRows(__half* staged, const Problem<Format>& problem) {
#pragma unroll 1
  for (int row = 0; row < problem.rows; ++row) {
    auto* to = reinterpret_cast<uint4*>(staged + row * problem.stride);
#pragma unroll 2
    for (int group = static_cast<int>(threadIdx.x); group < problem.stride / 8 - 1;
         group += kThreads)
      to[PlaceOf<Format>(group)] =
          8 * group < problem.in ? *reinterpret_cast<const uint4*>(problem.x.At(row, 8 * group))
                                 : make_uint4(0, 0, 0, 0);
  }
}

// RmsNorm of the residual stream's rows instead.
template <typename Format>
__device__ __forceinline__ void StageNormedRows(__half* staged, const Problem<Format>& problem) {
  const int thread = static_cast<int>(threadIdx.x);
#pragma unroll 1
  for (int row = 0; row < problem.rows; ++row) {
    float values[kNormGroups][8] = {}, sum = 0;
#pragma unroll
    for (int i = 0; i < kNormGroups; ++i) {
      const int column = 8 * (thread + i * kThreads);
      if (column < problem.in) LoadValues<8>(problem.hidden.At(row, column), values[i]);
#pragma unroll
      for (const float value : values[i]) sum += value * value;
    }
    const float scale = 1.0f / sqrtf(BlockSum(sum) / static_cast<float>(problem.in) + problem.eps);
#pragma unroll
    for (int i = 0; i < kNormGroups; ++i) {
      const int column = 8 * (thread + i * kThreads);
      if (column >= problem.stride - 8) continue;
      float weights[8] = {};
      if (column < problem.in) LoadValues<8>(problem.norm + column, weights);
#pragma unroll
      for (int j = 0; j < 8; ++j) weights[j] *= values[i][j] * scale;
      StoreValues<8>(staged + row * problem.stride + 8 * PlaceOf<Format>(column / 8), weights);
    }
  }
}

using Tiles = float[kWarps][kTile][kColumns];

__device__ __forceinline__ float SumOfWarps(const Tiles& tiles, int first, int count, int output,
                                            int row) {
  float sum = 0;
#pragma unroll 1
  for (int i = 0; i < count; ++i) sum += tiles[first + i][output][row];
  return sum;
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

template <typename Format>
__device__ __forceinline__ void StoreUnit(const Problem<Format>& problem, const Tiles& tiles,
                                          int unit) {
  const int split = problem.split, all = kWarps / split, parts = problem.gated ? all / 2 : all;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < parts * kTile * kColumns; i += kThreads) {
    const int output = i % kTile, row = i / kTile % kColumns, part = i / kTile / kColumns;
    const Tile<Format> tile(problem, unit, part);
    const Matrix<Format> matrix = problem.MatrixOf(tile.matrix);
    const int column = tile.first + output;
    if (row >= problem.rows || column >= matrix.out) continue;
    float value = SumOfWarps(tiles, part * split, split, output, row);
    if (problem.gated)
      value *=
          SumOfWarps(tiles, (parts + part) * split, split, output, row) / (1.0f + expf(-value));
    value = value * problem.scale + (matrix.bias != nullptr ? matrix.bias[column] : 0.0f);
    StoreValue(matrix.y, row * matrix.stride + column, problem.half, problem.add, value);
  }
}

// kStreamed: x does not fit into shared memory.
template <typename Format, typename Sums, bool kStreamed>
__device__ __forceinline__ void MultiplyRows(const Problem<Format>& problem) {
  constexpr int kStep = kStepColumns<Format>;
  __shared__ Tiles tiles[2];
  auto* table = reinterpret_cast<unsigned*>(SharedMemory());
  using Memory = typename Sums::Stages::Memory;
  auto& memory = *reinterpret_cast<Memory*>(table + Format::kTableWords);
  auto* staged = reinterpret_cast<__half*>(&memory + 1);
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const int steps = (problem.in + kStep - 1) / kStep, part = warp % problem.split;
  const int begin = steps * part / problem.split * kStep;
  const int end = steps * (part + 1) / problem.split * kStep;

  typename Sums::Stages stages(memory, problem, begin, end);
  problem.matrices[0].weight.MakeTable(table);
  WaitForEarlierKernels();
  LetLaterKernelsStart();
  if constexpr (!kStreamed) {
    if (problem.norm != nullptr)
      StageNormedRows(staged, problem);
    else
      StageRows(staged, problem);
  }
  __syncthreads();

  const __half* x = kStreamed ? problem.x.data : staged;
  const int stride = kStreamed ? static_cast<int>(problem.x.stride) : problem.stride;
  int unit = static_cast<int>(blockIdx.x), step = begin, turn = 0;
  Sums sums;
  while (unit < problem.units) {
    const int column = step + lane % 4 * kLaneColumns<Format>;
    // Behind the columns the weights are zeros, and x is any finite number.
    const bool beyond = kStreamed && column + kLaneColumns<Format> > problem.in;
    const Stage stage = stages.Take();
    stages.Begin();
    sums.Add(stage, x, stride, beyond ? 0 : column, problem.rows, table);
    step += kStep;
    if (step < end) continue;
    sums.Store(tiles[turn][warp]);
    __syncthreads();
    StoreUnit(problem, tiles[turn], unit);
    sums = Sums();
    turn = 1 - turn;
    step = begin;
    unit += static_cast<int>(gridDim.x);
  }
}

template <typename Format, typename Sums, bool kStreamed>
__global__ void __launch_bounds__(kThreads, Sums::kBlocks)
    GemvKernel([[maybe_unused]] const Problem<Format> problem) {
  if constexpr (kHasMma || !Sums::kTensorCores) MultiplyRows<Format, Sums, kStreamed>(problem);
}

// Shared memory that a kernel needs besides x and what it has for sums.
template <typename Format, typename Sums>
constexpr size_t FixedShared() {
  using Memory = typename Sums::Stages::Memory;
  return Format::kTableWords * sizeof(unsigned) + sizeof(Memory);
}

}  // namespace bagel::gemv

#endif  // BAGEL_CUDA_GEMV_KERNEL_CUH_
