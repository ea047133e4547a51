// The kernel of products of few rows.
#ifndef BAGEL_CUDA_GEMV_KERNEL_CUH_
#define BAGEL_CUDA_GEMV_KERNEL_CUH_

#include "cuda/gemv_sums.cuh"

namespace bagel::gemv {

// Rows of x on their way into shared memory, or of the residual stream, which are normed there:
// kRowWarps warps share a row, and the block takes kAtOnce rows from `first` on.
template <typename Format, int kWarps, int kRowWarps>
class StagedRows {
 public:
  static constexpr int kAtOnce = kWarps / kRowWarps;

  __device__ __forceinline__ StagedRows(const Problem<Format>& problem, const Columns& columns,
                                        int first)
      : problem_(problem), columns_(columns), row_(first + Warp() / kRowWarps) {
    if (Idle()) return;
    if (problem.norm == nullptr) {
#pragma unroll
      for (int i = 0; i < kGroups; ++i)
        if (Column(columns.begin, i) < columns.end) plain_[i] = Load(Column(columns.begin, i));
      return;
    }
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
      const int column = Column(0, i);
      if (column >= problem.in) continue;
      LoadValues<8>(problem.hidden.At(row_, column), values_[i]);
      if constexpr (kGroups == 1) LoadValues<8>(problem.norm + column, weights_);
    }
  }

  // To `staged`, where row 0 is.
  __device__ __forceinline__ void Store(__half* staged) {
    __half* to = staged + row_ * problem_.stride;
    if (problem_.norm == nullptr) {
      if (Idle()) return;
#pragma unroll
      for (int i = 0; i < kGroups; ++i) {
        const int column = Column(columns_.begin, i);
        if (column < columns_.end) *Place(to, column) = plain_[i];
      }
#pragma unroll 4
      for (int column = Column(columns_.begin, kGroups); column < columns_.end; column += kStep)
        *Place(to, column) = Load(column);
      return;
    }
    float sum = 0;
#pragma unroll
    for (int i = 0; i < kGroups; ++i)
#pragma unroll
      for (const float value : values_[i]) sum += value * value;
    const float scale =
        1.0f / sqrtf(SumOfRow(sum) / static_cast<float>(problem_.in) + problem_.eps);
    if (Idle()) return;
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
      const int column = Column(0, i);
      if (column < columns_.begin || column >= columns_.end) continue;
      if constexpr (kGroups > 1) LoadValues<8>(problem_.norm + column, weights_);
#pragma unroll
      for (int j = 0; j < 8; ++j) values_[i][j] *= scale * weights_[j];
      StoreValues<8>(reinterpret_cast<__half*>(Place(to, column)), values_[i]);
    }
  }

 private:
  static constexpr int kStep = 8 * 32 * kRowWarps;  // columns that the warps of a row take at once
  static constexpr int kGroups = (kMostNormColumns + kStep - 1) / kStep;

  __device__ static int Warp() { return static_cast<int>(threadIdx.x / 32); }
  // Whether these warps have no row, or no place beside the others.
  __device__ bool Idle() const { return row_ >= problem_.rows || Warp() >= kAtOnce * kRowWarps; }
  __device__ static int Column(int from, int i) {
    return from + i * kStep + 8 * (static_cast<int>(threadIdx.x % 32) + Warp() % kRowWarps * 32);
  }
  __device__ uint4* Place(__half* to, int column) const {
    return reinterpret_cast<uint4*>(to) + PlaceOf<Format>((column - columns_.begin) / 8);
  }
  __device__ uint4 Load(int column) const {
    return *reinterpret_cast<const uint4*>(problem_.x.At(row_, column));
  }
  // The sum of the values of a row's warps. All threads of the block call it.
  __device__ static float SumOfRow(float value) {
    __shared__ float sums[kWarps];
    const int lane = static_cast<int>(threadIdx.x % 32), first = Warp() / kRowWarps * kRowWarps;
    value = WarpSum(value);
    __syncthreads();  // sums may still be read by the call before
    if (lane == 0) sums[Warp()] = value;
    __syncthreads();
    return WarpSum(lane < kRowWarps && first + lane < kWarps ? sums[first + lane] : 0.0f);
  }

  const Problem<Format>& problem_;
  const Columns& columns_;
  int row_;
  float values_[kGroups][8] = {}, weights_[8];
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

// Stores a unit by the sums sum_of(part, row, output) of its parts.
template <typename Format, int kThreads, typename SumOf>
__device__ __forceinline__ void StoreUnit(const Problem<Format>& problem, int unit,
                                          const SumOf& sum_of) {
  const int parts = problem.gated ? problem.parts / 2 : problem.parts;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < parts * problem.rows * kTile; i += kThreads) {
    const int output = i % kTile, row = i / kTile % problem.rows, part = i / kTile / problem.rows;
    const Tile<Format> tile(problem, unit, part);
    const Matrix<Format> matrix = problem.MatrixOf(tile.matrix);
    const int column = tile.first + output;
    if (output >= problem.tile || column >= matrix.out) continue;
    float value = sum_of(part, row, output);
    if (problem.gated) value *= sum_of(parts + part, row, output) / (1.0f + __expf(-value));
    value = value * problem.scale + (matrix.bias != nullptr ? matrix.bias[column] : 0.0f);
    StoreValue(matrix.y, row * matrix.stride + column, problem.half, problem.add, value);
  }
}

// Leaves this slice's sums of a unit in the device's memory, [parts][rows of x][kTile]; the block
// that is the last to do so adds up those of all slices, always in the same order.
template <typename Format, int kThreads, typename SumOf>
__device__ __forceinline__ void StoreSlice(const Problem<Format>& problem, int unit, int slice,
                                           const SumOf& sum_of) {
  const int size = problem.parts * problem.rows * kTile;
  float* slices = problem.slice_sums + static_cast<int64_t>(unit) * problem.slices * size;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < size; i += kThreads)
    slices[slice * size + i] =
        sum_of(i / kTile / problem.rows, i / kTile % problem.rows, i % kTile);
  if (!IsLastBlock(&problem.counters[unit], problem.slices)) return;
  StoreUnit<Format, kThreads>(problem, unit, [&](int part, int row, int output) {
    const float* from = slices + (part * problem.rows + row) * kTile + output;
    float sum = 0;
#pragma unroll 4
    for (int i = 0; i < problem.slices; ++i) sum += from[i * size];
    return sum;
  });
}

// Floats of what the warps of a block leave of one unit, [warps][rows of x][kTile].
__host__ __device__ constexpr int PartialsOf(int warps, int rows) { return warps * rows * kTile; }

// kSliced: a block has one of several slices of the columns.
template <typename Format, typename Sums, int kWarps, bool kSliced>
__device__ __forceinline__ void MultiplyRows(const Problem<Format>& problem) {
  constexpr int kThreads = kWarps * 32;
  using Stages = typename Sums::Stages;
  using Rows = StagedRows<Format, kWarps, RowWarps<Sums, kWarps>()>;
  alignas(16) __shared__ unsigned table[Format::kTableWords > 0 ? Format::kTableWords : 1];
  auto* memory = reinterpret_cast<char*>(SharedMemory());
  auto* partials = reinterpret_cast<float*>(memory + kWarps * Stages::kWarpBytes);
  auto* staged = reinterpret_cast<__half*>(partials + 2 * PartialsOf(kWarps, problem.rows));
  const int warp = static_cast<int>(threadIdx.x / 32), part = warp / problem.split;
  const int slices = kSliced ? problem.slices : 1;
  const int slice = static_cast<int>(blockIdx.x) % slices,
            all_steps = problem.in / Format::kStepColumns;
  const int first_unit = static_cast<int>(blockIdx.x) / slices;
  const int unit_step = static_cast<int>(gridDim.x) / slices;
  const int share = warp - part * problem.split;
  const int first = all_steps * slice / slices;
  const int steps = all_steps * (slice + 1) / slices - first;
  const bool idle = part >= problem.parts;
  const int begin = idle ? 0 : steps * share / problem.split;
  const int end = idle ? 0 : steps * (share + 1) / problem.split;

  const float level = problem.matrices[0].weight.Level() * Sums::kTableScale;
  const Share of_warp{part, first + begin, first + end, first_unit, unit_step};
  Stages stages(memory + warp * Stages::kWarpBytes, problem, of_warp);
  LetLaterKernelsStart();
  WaitForEarlierKernels();
  const Columns columns{first * Format::kStepColumns, (first + steps) * Format::kStepColumns};
  {
    Rows rows(problem, columns, 0);
    Format::MakeTable(table, level);
    rows.Store(staged);
  }
#pragma unroll 1
  for (int row = Rows::kAtOnce; row < problem.rows; row += Rows::kAtOnce)
    Rows(problem, columns, row).Store(staged);
  __syncthreads();

  const LaneInput<Format> x(staged, problem.stride);
  int turn = 0;
#pragma unroll 1
  for (int unit = first_unit; unit < problem.units; unit += unit_step) {
    Sums sums;
#pragma unroll 1
    for (int step = begin; step < end; ++step) {
      const Stage<Format> stage = stages.Take();
      sums.Add(stage, x, step, problem.rows, table);
    }
    float* all = partials + turn * PartialsOf(kWarps, problem.rows);
    sums.Store(all + PartialsOf(warp, problem.rows), problem.rows);
    __syncthreads();
    const auto sum_of_warps = [&](int of, int row, int output) {
      const float* from = all + (of * problem.split * problem.rows + row) * kTile + output;
      float sum = 0;
#pragma unroll 4
      for (int i = 0; i < problem.split; ++i) sum += from[i * problem.rows * kTile];
      return sum;
    };
    if constexpr (kSliced)
      StoreSlice<Format, kThreads>(problem, unit, slice, sum_of_warps);
    else
      StoreUnit<Format, kThreads>(problem, unit, sum_of_warps);
    turn = 1 - turn;
  }
}

template <typename Format, typename Sums, int kWarps, bool kSliced>
__global__ void __launch_bounds__(kWarps * 32, 1)
    GemvKernel([[maybe_unused]] const Problem<Format> problem) {
  if constexpr (kHasMma || !Sums::kTensorCores)
    MultiplyRows<Format, Sums, kWarps, kSliced>(problem);
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
