// The kernel of products of few rows.
#ifndef BAGEL_CUDA_GEMV_KERNEL_CUH_
#define BAGEL_CUDA_GEMV_KERNEL_CUH_

#include "cuda/gemv_sums.cuh"

namespace bagel::gemv {

// A row of x on its way into shared memory, or of the residual stream, which is normed there.
template <typename Format, int kThreads>
class StagedRow {
 public:
  __device__ __forceinline__ StagedRow(const Problem<Format>& problem, int row)
      : problem_(problem), row_(row) {
    if (problem.norm != nullptr) {
#pragma unroll
      for (int i = 0; i < kGroups; ++i) {
        const int column = Column(i);
        if (column >= problem.in) continue;
        LoadValues<8>(problem.hidden.At(row, column), values_[i]);
        LoadValues<8>(problem.norm + column, weights_[i]);
      }
      return;
    }
#pragma unroll
    for (int i = 0; i < kGroups; ++i)
      if (Column(i) < problem.in) plain_[i] = Load(Column(i));
  }

  __device__ __forceinline__ void Store(__half* to) {
    if (problem_.norm == nullptr) {
#pragma unroll
      for (int i = 0; i < kGroups; ++i)
        if (Column(i) < problem_.in) *Place(to, Column(i)) = plain_[i];
#pragma unroll 2
      for (int column = Column(kGroups); column < problem_.in; column += 8 * kThreads)
        *Place(to, column) = Load(column);
      return;
    }
    float sum = 0;
#pragma unroll
    for (int i = 0; i < kGroups; ++i)
#pragma unroll
      for (const float value : values_[i]) sum += value * value;
    const float scale =
        1.0f / sqrtf(BlockSum(sum) / static_cast<float>(problem_.in) + problem_.eps);
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
      if (Column(i) >= problem_.in) continue;
#pragma unroll
      for (int j = 0; j < 8; ++j) values_[i][j] *= scale * weights_[i][j];
      StoreValues<8>(reinterpret_cast<__half*>(Place(to, Column(i))), values_[i]);
    }
  }

 private:
  static constexpr int kGroups = (kMostNormColumns / 8 + kThreads - 1) / kThreads;

  __device__ static int Column(int i) { return 8 * (static_cast<int>(threadIdx.x) + i * kThreads); }
  __device__ static uint4* Place(__half* to, int column) {
    return reinterpret_cast<uint4*>(to) + PlaceOf<Format>(column / 8);
  }
  __device__ uint4 Load(int column) const {
    return *reinterpret_cast<const uint4*>(problem_.x.At(row_, column));
  }

  const Problem<Format>& problem_;
  int row_;
  float values_[kGroups][8] = {}, weights_[kGroups][8];
  uint4 plain_[kGroups];
};

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

  const float level = problem.matrices[0].weight.Level() * Sums::kTableScale;
  Stages stages(memory + warp * Stages::kWarpBytes, problem, part, begin, end);
  LetLaterKernelsStart();
  WaitForEarlierKernels();
  if constexpr (kStreamed) {
    Format::MakeTable(table, level);
  } else {
    StagedRow<Format, kThreads> first(problem, 0);
    Format::MakeTable(table, level);
    first.Store(staged);
#pragma unroll 1
    for (int row = 1; row < problem.rows; ++row)
      StagedRow<Format, kThreads>(problem, row).Store(staged + row * problem.stride);
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
