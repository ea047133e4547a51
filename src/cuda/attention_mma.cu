// After FlashAttention-2 (https://arxiv.org/abs/2307.08691): a warp holds scores and sums of 32
// rows in registers, and what the scores become is the next product's left side as it lies.
#include <cmath>

#include "cuda/attention_mma.h"
#include "cuda/attention_problem.cuh"
#include "cuda/launch.h"
#include "cuda/ptx.cuh"

namespace bagel {
namespace {

constexpr int kWarps = 4, kThreads = 32 * kWarps;
constexpr int kFragments = 2;  // of 16 rows, that a warp holds
constexpr int kRows = kWarps * kFragments * 16;
static_assert(kRows == StepTableBuilder::kTileRows);
constexpr int kKeys = 64;
constexpr int kStages = 2;  // tiles in memory
// Keys whose scores are in registers at once.
constexpr int kStep = 32;

// Where eight columns of a row lie in shared memory, so that eight rows' fall on different banks.
template <int kHead>
struct Layout {
  static constexpr bool kSwizzled = kHead % 64 == 0;
  static constexpr int kStride = kSwizzled ? kHead : kHead + 8;
  __device__ static int At(int row, int column) {
    const int chunk = kSwizzled ? column / 8 ^ row % 8 : column / 8;
    return row * kStride + 8 * chunk;
  }
  // The place `columns`, a multiple of 16, behind a place of columns 0 to 15.
  __device__ static int Along(int place, int columns) {
    return kSwizzled ? place ^ columns : place + columns;
  }
};

template <int kHead>
struct Shared {
  static constexpr int kTile = kKeys * Layout<kHead>::kStride;
  __half queries[kRows * Layout<kHead>::kStride];
  __half keys[kStages][kTile];
  __half values[kStages][kTile];
};

// Begins to copy kTileRows rows of a head, zeros behind `count` rows and `head_dim` columns.
template <int kHead, int kTileRows, typename From>
__device__ __forceinline__ void CopyRows(__half* to, int count, int head_dim, const From& from) {
  constexpr int kChunks = kHead / 8, kTurns = kTileRows * kChunks / kThreads;
  static_assert(kTileRows * kChunks % kThreads == 0);
#pragma unroll
  for (int turn = 0; turn < kTurns; ++turn) {
    const int i = static_cast<int>(threadIdx.x) + turn * kThreads;
    const int row = i / kChunks, column = i % kChunks * 8;
    const bool valid = row < count && column < head_dim;
    CopyAsync16(to + Layout<kHead>::At(row, column), valid ? from(row) + column : from(0), valid);
  }
}

template <int kHead, typename Block>
__device__ __forceinline__ void CopyTile(Shared<kHead>& shared, int stage, const Block& block,
                                         int first) {
  const KeyTile tile = block.Tile(first);
  const int count = block.keys - first, head_dim = block.head_dim();
  CopyRows<kHead, kKeys>(shared.keys[stage], count, head_dim,
                         [&](int row) { return tile.k + row * tile.stride; });
  CopyRows<kHead, kKeys>(shared.values[stage], count, head_dim,
                         [&](int row) { return tile.v + row * tile.stride; });
}

// What a lane holds of a warp's rows: of fragment f rows 16 f + lane / 4 (h = 0) and 8 below (h =
// 1).
struct RowStates {
  float largest[kFragments][2];
  float total[kFragments][2];  // this lane's part
};

// scores = queries times a tile's keys.
template <int kHead>
__device__ __forceinline__ void Score(float (&scores)[kFragments][kStep / 8][4],
                                      const __half* queries, const __half* keys, int first_row) {
  using Place = Layout<kHead>;
  const int lane = static_cast<int>(threadIdx.x % 32), matrix = lane / 8, line = lane % 8;
  const int query = Place::At(first_row + matrix % 2 * 8 + line, matrix / 2 * 8);
  const int key_place = Place::At(matrix / 2 * 8 + line, matrix % 2 * 8);
#pragma unroll
  for (auto& fragment : scores)
#pragma unroll
    for (auto& quad : fragment)
#pragma unroll
      for (float& score : quad) score = 0;
#pragma unroll
  for (int dim = 0; dim < kHead; dim += 16) {
    unsigned left[kFragments][4];
#pragma unroll
    for (int f = 0; f < kFragments; ++f)
      LoadMatrices<false>(left[f], queries + Place::Along(query, dim) + 16 * f * Place::kStride);
#pragma unroll
    for (int key = 0; key < kStep; key += 16) {
      unsigned right[4];
      LoadMatrices<false>(right, keys + Place::Along(key_place, dim) + key * Place::kStride);
#pragma unroll
      for (int f = 0; f < kFragments; ++f) {
        MultiplyAdd16816(scores[f][key / 8], left[f], right[0], right[1]);
        MultiplyAdd16816(scores[f][key / 8 + 1], left[f], right[2], right[3]);
      }
    }
  }
}

// Turns scores of keys from `first` on into weights, and shrinks the sums so far to fit them.
template <int kHead, typename Block>
__device__ __forceinline__ void Soften(float (&scores)[kFragments][kStep / 8][4],
                                       float (&sums)[kFragments][kHead / 8][4], RowStates& rows,
                                       const Block& block, int first_row, int first, float scale) {
  const int lane = static_cast<int>(threadIdx.x % 32), column = lane % 4 * 2;
  // Of the rows of a warp the first sees least.
  const bool whole = first + kStep <= block.Limit(first_row);
#pragma unroll
  for (int f = 0; f < kFragments; ++f) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float largest = rows.largest[f][h];
      if (!whole) {
        const int limit = block.Limit(first_row + 16 * f + 8 * h + lane / 4) - first;
#pragma unroll
        for (int n = 0; n < kStep / 8; ++n)
#pragma unroll
          for (int i = 0; i < 2; ++i)
            if (8 * n + column + i >= limit) scores[f][n][2 * h + i] = -INFINITY;
      }
#pragma unroll
      for (int n = 0; n < kStep / 8; ++n)
        largest = fmaxf(largest, fmaxf(scores[f][n][2 * h], scores[f][n][2 * h + 1]));
      largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 1));
      largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 2));
      const float base = largest == -INFINITY ? 0.0f : largest * scale;
      const float shrink = FastExp2(rows.largest[f][h] * scale - base);
      rows.largest[f][h] = largest;
      float total = 0;
#pragma unroll
      for (int n = 0; n < kStep / 8; ++n)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          float& score = scores[f][n][2 * h + i];
          score = FastExp2(score * scale - base);
          total += score;
        }
      rows.total[f][h] = rows.total[f][h] * shrink + total;
#pragma unroll
      for (int n = 0; n < kHead / 8; ++n) {
        sums[f][n][2 * h] *= shrink;
        sums[f][n][2 * h + 1] *= shrink;
      }
    }
  }
}

// sums += weights times a tile's values.
template <int kHead>
__device__ __forceinline__ void Gather(float (&sums)[kFragments][kHead / 8][4],
                                       const float (&weights)[kFragments][kStep / 8][4],
                                       const __half* values) {
  using Place = Layout<kHead>;
  const int lane = static_cast<int>(threadIdx.x % 32), matrix = lane / 8, line = lane % 8;
  const int place = Place::At(matrix % 2 * 8 + line, matrix / 2 * 8);
#pragma unroll
  for (int key = 0; key < kStep; key += 16) {
    unsigned left[kFragments][4];
#pragma unroll
    for (int f = 0; f < kFragments; ++f) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        left[f][i] = PackPair(weights[f][key / 8 + i / 2][i % 2 * 2],
                              weights[f][key / 8 + i / 2][i % 2 * 2 + 1]);
    }
#pragma unroll
    for (int dim = 0; dim < kHead; dim += 16) {
      unsigned right[4];
      LoadMatrices<true>(right, values + Place::Along(place, dim) + key * Place::kStride);
#pragma unroll
      for (int f = 0; f < kFragments; ++f) {
        MultiplyAdd16816(sums[f][dim / 8], left[f], right[0], right[1]);
        MultiplyAdd16816(sums[f][dim / 8 + 1], left[f], right[2], right[3]);
      }
    }
  }
}

template <int kHead, typename Block>
__device__ __forceinline__ void StoreResult(const float (&sums)[kFragments][kHead / 8][4],
                                            const RowStates& rows, const Block& block,
                                            int first_row) {
  const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
  for (int f = 0; f < kFragments; ++f) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float total = rows.total[f][h];
      total += __shfl_xor_sync(0xFFFFFFFFu, total, 1);
      total += __shfl_xor_sync(0xFFFFFFFFu, total, 2);
      const int row = first_row + 16 * f + 8 * h + lane / 4;
      if (row >= block.rows) continue;
      const float scale = 1.0f / total;
      auto* to = block.Result(row);
#pragma unroll
      for (int n = 0; n < kHead / 8; ++n)
        if (8 * n < block.head_dim())
          StorePair(to + 8 * n + lane % 4 * 2, sums[f][n][2 * h] * scale,
                    sums[f][n][2 * h + 1] * scale);
    }
  }
}

template <int kHead, typename Problem>
__device__ __forceinline__ void AttendTile(const Problem& problem, float scale) {
  auto& shared = *reinterpret_cast<Shared<kHead>*>(SharedMemory());
  const typename Problem::Block block(problem);
  const int first_row = static_cast<int>(threadIdx.x / 32) * kFragments * 16;

  CopyRows<kHead, kRows>(shared.queries, block.rows, block.head_dim(),
                         [&](int row) { return block.Query(row); });
  CopyTile(shared, 0, block, 0);
  CommitCopies();

  RowStates rows;
#pragma unroll
  for (int f = 0; f < kFragments; ++f) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      rows.largest[f][h] = -INFINITY;
      rows.total[f][h] = 0;
    }
  }
  float sums[kFragments][kHead / 8][4] = {};

  int stage = 0;
  for (int first = 0; first < block.keys; first += kKeys) {
    if (first + kKeys < block.keys) CopyTile(shared, 1 - stage, block, first + kKeys);
    CommitCopies();
    WaitForCopies<1>();
    __syncthreads();
    if (first_row < block.rows) {
#pragma unroll 1
      for (int step = 0; step < kKeys && first + step < block.keys; step += kStep) {
        const int offset = step * Layout<kHead>::kStride;
        float scores[kFragments][kStep / 8][4];
        Score<kHead>(scores, shared.queries, shared.keys[stage] + offset, first_row);
        Soften<kHead>(scores, sums, rows, block, first_row, first + step, scale);
        Gather<kHead>(sums, scores, shared.values[stage] + offset);
      }
    }
    __syncthreads();
    stage = 1 - stage;
  }
  // What only the end needs is read again, which leaves registers to the loop.
  if (first_row < block.rows)
    StoreResult<kHead>(sums, rows, typename Problem::Block(problem), first_row);
}

template <int kHead, typename Problem>
__global__ void __launch_bounds__(kThreads)
    AttendMmaKernel([[maybe_unused]] Problem problem, [[maybe_unused]] float scale) {
  if constexpr (kHasMma) AttendTile<kHead>(problem, scale);
}

template <int kHead, typename Problem>
void LaunchKernel(cudaStream_t stream, dim3 grid, const Problem& problem, int64_t head_dim) {
  const float scale = 1.4426950408889634f / std::sqrt(static_cast<float>(head_dim));  // log2(e)
  Launch(stream, {grid, dim3(kThreads), sizeof(Shared<kHead>)}, AttendMmaKernel<kHead, Problem>,
         problem, scale);
}

}  // namespace

void AttendMma(cudaStream_t stream, const Tensor& y, const Tensor& q, const KvLayer& cache,
               const StepTables& tables) {
  constexpr int kHead = 128;
  const int64_t heads = q.cols / kHead;
  const dim3 grid(static_cast<unsigned>(tables.tile_count), static_cast<unsigned>(heads));
  WithType(y.dtype, [&](auto type) {
    using Y = decltype(type);
    LaunchKernel<kHead>(stream, grid, MakePagedProblem<Y>(y, q, cache, tables), kHead);
  });
}

void AttendFullMma(cudaStream_t stream, const Tensor& y, const Tensor& q, const Tensor& k,
                   const Tensor& v, int64_t heads) {
  const int64_t head_dim = q.cols / heads;
  const dim3 grid(static_cast<unsigned>((q.rows + kRows - 1) / kRows),
                  static_cast<unsigned>(heads));
  WithType(y.dtype, [&](auto type) {
    using Y = decltype(type);
    const DenseProblem<Y> problem = MakeDenseProblem<Y>(y, q, k, v, heads);
    if (head_dim <= 80)
      LaunchKernel<80>(stream, grid, problem, head_dim);
    else
      LaunchKernel<128>(stream, grid, problem, head_dim);
  });
}

}  // namespace bagel
