// Softmax as the keys come, after FlashAttention (https://arxiv.org/abs/2205.14135): a warp holds
// the queries and the sums of 16 rows, a block's warps share the tiles of keys and values.
#include <mma.h>

#include <cmath>

#include "cuda/attention_problem.cuh"
#include "cuda/attention_wmma.h"
#include "cuda/launch.h"
#include "cuda/ptx.cuh"

namespace bagel {
namespace {

namespace wmma = nvcuda::wmma;

constexpr int kSide = 16;  // of a matrix fragment
constexpr int kWarps = 8, kThreads = 32 * kWarps;
constexpr int kRows = kWarps * kSide;
static_assert(kRows == StepTableBuilder::kTileRows);
constexpr int kKeys = 64;

// Strides in shared memory that spread rows over the banks.
constexpr int kScoreStride = kKeys + 8;  // f32; also of weights, f16, that take the scores' place

using Sums = SumFragment;
using Left = LeftFragment;
using Right = RightRowsFragment;
using RightTurned = RightFragment;

template <int kHead>
struct Shared {
  static constexpr int kStride = kHead + 8;
  __half keys[kKeys * kStride];
  __half values[kKeys * kStride];
  float scores[kWarps][kSide * kScoreStride];
  float factors[kWarps][kSide];  // by which a row's sums shrink
};

// kKeys rows of a head on their way into shared memory, zeros behind `count` rows and `head_dim`
// columns: fetched while the warps multiply others.
template <int kHead>
class TileOnItsWay {
 public:
  __device__ __forceinline__ void Fetch(const __half* from, int64_t stride, int count,
                                        int head_dim) {
#pragma unroll
    for (int turn = 0; turn < kTurns; ++turn) {
      const int row = Index(turn) / kChunks, column = Index(turn) % kChunks * 8;
      values_[turn] = make_uint4(0, 0, 0, 0);
      if (row < count && column < head_dim && row < kKeys)
        values_[turn] = *reinterpret_cast<const uint4*>(from + row * stride + column);
    }
  }
  __device__ __forceinline__ void Store(__half* to) const {
#pragma unroll
    for (int turn = 0; turn < kTurns; ++turn) {
      const int row = Index(turn) / kChunks, column = Index(turn) % kChunks * 8;
      if (row < kKeys)
        *reinterpret_cast<uint4*>(to + row * Shared<kHead>::kStride + column) = values_[turn];
    }
  }

 private:
  static constexpr int kChunks = kHead / 8;
  static constexpr int kTurns = (kKeys * kChunks + kThreads - 1) / kThreads;

  __device__ static int Index(int turn) { return static_cast<int>(threadIdx.x) + turn * kThreads; }

  uint4 values_[kTurns];
};

// A warp's 16 queries as fragments, through its part of the tiles' memory.
template <int kHead, typename Block>
__device__ void LoadQueries(Left (&queries)[kHead / kSide], __half* staging, const Block& block,
                            int first_row) {
  constexpr int kChunks = kHead / 8, kStride = Shared<kHead>::kStride;
  const int lane = static_cast<int>(threadIdx.x % 32);
  for (int i = lane; i < kSide * kChunks; i += 32) {
    const int row = i / kChunks, column = i % kChunks * 8;
    uint4 values = make_uint4(0, 0, 0, 0);
    if (first_row + row < block.rows && column < block.head_dim())
      values = *reinterpret_cast<const uint4*>(block.Query(first_row + row) + column);
    *reinterpret_cast<uint4*>(staging + row * kStride + column) = values;
  }
  __syncwarp();
#pragma unroll
  for (int i = 0; i < kHead / kSide; ++i) LoadShared(queries[i], staging + i * kSide, kStride);
}

// The state of a row's softmax, held by both lanes of a row.
struct RowState {
  float largest = -INFINITY;
  float total = 0;
};

// Turns a warp's scores [16][kKeys] into weights f16 in the same place; two lanes a row. Scores are
// taken times `scale`, in powers of two; keys from `limit` on do not count. Returns the factor by
// which the row's sums so far shrink.
__device__ inline float Soften(float* scores, int limit, float scale, RowState& state) {
  constexpr int kGroups = kKeys / 8;  // of four neighbours, every other one a lane's
  const int lane = static_cast<int>(threadIdx.x % 32), row = lane / 2, part = lane % 2;
  float4 values[kGroups];
  float largest = -INFINITY;
#pragma unroll
  for (int i = 0; i < kGroups; ++i) {
    const int column = 8 * i + 4 * part;
    float4 group = *reinterpret_cast<const float4*>(scores + row * kScoreStride + column);
    group.x = column < limit ? group.x * scale : -INFINITY;
    group.y = column + 1 < limit ? group.y * scale : -INFINITY;
    group.z = column + 2 < limit ? group.z * scale : -INFINITY;
    group.w = column + 3 < limit ? group.w * scale : -INFINITY;
    largest = fmaxf(fmaxf(fmaxf(largest, group.x), fmaxf(group.y, group.z)), group.w);
    values[i] = group;
  }
  largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 1));
  const float next = fmaxf(state.largest, largest);
  const float base = next == -INFINITY ? 0.0f : next;
  const float factor = FastExp2(state.largest - base);
  __syncwarp();  // all scores are in registers
  auto* weights = reinterpret_cast<__half*>(scores);
  float total = 0;
#pragma unroll
  for (int i = 0; i < kGroups; ++i) {
    const float a = FastExp2(values[i].x - base), b = FastExp2(values[i].y - base);
    const float c = FastExp2(values[i].z - base), d = FastExp2(values[i].w - base);
    total += a + b + c + d;
    auto* to = reinterpret_cast<__half2*>(weights + row * kScoreStride + 8 * i + 4 * part);
    to[0] = __floats2half2_rn(a, b);
    to[1] = __floats2half2_rn(c, d);
  }
  total += __shfl_xor_sync(0xFFFFFFFFu, total, 1);
  state.largest = next;
  state.total = state.total * factor + total;
  return factor;
}

// Writes a warp's sums, divided by their rows' totals, through its scores' memory.
template <int kHead, typename Block>
__device__ void StoreResult(const Sums (&sums)[kHead / kSide], float* staging, const Block& block,
                            int first_row, const RowState& state) {
  const int lane = static_cast<int>(threadIdx.x % 32), row = lane / 2, part = lane % 2;
  const float scale = 1.0f / state.total;
#pragma unroll
  for (int i = 0; i < kHead / kSide; ++i) {
    __syncwarp();
    StoreShared(staging, sums[i], kScoreStride);
    __syncwarp();
    const int column = i * kSide + 8 * part;
    if (first_row + row >= block.rows || column >= block.head_dim()) continue;
    float values[8];
    LoadValues<8>(staging + row * kScoreStride + 8 * part, values);
#pragma unroll
    for (float& value : values) value *= scale;
    StoreValues<8>(block.Result(first_row + row) + column, values);
  }
}

// A warp's scores [kSide][kKeys].
template <int kHead>
__device__ __forceinline__ void ScoreKeys(float* scores, const Left (&queries)[kHead / kSide],
                                          const __half* keys) {
  constexpr int kStride = Shared<kHead>::kStride;
#pragma unroll
  for (int key = 0; key < kKeys; key += kSide) {
    Sums dots;
    wmma::fill_fragment(dots, 0.0f);
#pragma unroll
    for (int i = 0; i < kHead / kSide; ++i) {
      RightTurned turned;
      LoadShared(turned, keys + key * kStride + i * kSide, kStride);
      wmma::mma_sync(dots, queries[i], turned, dots);
    }
    StoreShared(scores + key, dots, kScoreStride);
  }
  __syncwarp();
}

template <int kHead>
__device__ __forceinline__ void WeighValues(Sums (&sums)[kHead / kSide], const __half* weights,
                                            const __half* values) {
  constexpr int kStride = Shared<kHead>::kStride;
#pragma unroll
  for (int key = 0; key < kKeys; key += kSide) {
    Left left;
    LoadShared(left, weights + key, kScoreStride);
#pragma unroll
    for (int i = 0; i < kHead / kSide; ++i) {
      Right right;
      LoadShared(right, values + key * kStride + i * kSide, kStride);
      wmma::mma_sync(sums[i], left, right, sums[i]);
    }
  }
}

template <int kHead, typename Problem>
__global__ void __launch_bounds__(kThreads) AttendWmmaKernel(Problem problem, float scale) {
  constexpr int kStride = Shared<kHead>::kStride, kParts = kHead / kSide;
  auto& shared = *reinterpret_cast<Shared<kHead>*>(SharedMemory());
  const typename Problem::Block block(problem);
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int first_row = warp * kSide;
  const bool idle = first_row >= block.rows;  // only helps to load tiles
  float* scores = shared.scores[warp];

  Left queries[kParts];
  LoadQueries<kHead>(queries, shared.keys + first_row * kStride, block, first_row);
  // Which row of a fragment each element lies in: its layout is the compiler's.
  Sums sums[kParts], rows;
  for (int i = lane; i < kSide * kSide; i += 32) {
    const int index = i / kSide;
    scores[i] = static_cast<float>(index);
  }
  __syncwarp();
  wmma::load_matrix_sync(rows, scores, kSide, wmma::mem_row_major);
#pragma unroll
  for (int i = 0; i < kParts; ++i) wmma::fill_fragment(sums[i], 0.0f);

  RowState state;
  const int row = first_row + lane / 2;
  const int limit = row < block.rows ? block.Limit(row) : block.keys;
  TileOnItsWay<kHead> coming;
  KeyTile tile = block.Tile(0);
  coming.Fetch(tile.k, tile.stride, block.keys, block.head_dim());
  __syncthreads();  // the queries have left the keys' memory
  coming.Store(shared.keys);
  __syncthreads();
  for (int first = 0; first < block.keys; first += kKeys) {
    coming.Fetch(tile.v, tile.stride, block.keys - first, block.head_dim());
    if (!idle) ScoreKeys<kHead>(scores, queries, shared.keys);
    coming.Store(shared.values);
    __syncthreads();
    const int next = first + kKeys;
    if (next < block.keys) {
      tile = block.Tile(next);
      coming.Fetch(tile.k, tile.stride, block.keys - next, block.head_dim());
    }
    if (!idle) {
      const float factor = Soften(scores, limit - first, scale, state);
      if (__any_sync(0xFFFFFFFFu, factor != 1.0f) != 0) {
        if (lane % 2 == 0) shared.factors[warp][lane / 2] = factor;
        __syncwarp();
#pragma unroll
        for (int e = 0; e < Sums::num_elements; ++e) {
          const float shrink = shared.factors[warp][static_cast<int>(rows.x[e])];
#pragma unroll
          for (int i = 0; i < kParts; ++i) sums[i].x[e] *= shrink;
        }
      }
      __syncwarp();  // the weights are there
      WeighValues<kHead>(sums, reinterpret_cast<const __half*>(scores), shared.values);
    }
    if (next < block.keys) coming.Store(shared.keys);
    __syncthreads();
  }
  if (!idle) StoreResult<kHead>(sums, scores, block, first_row, state);
}

template <int kHead, typename Problem>
void LaunchKernel(cudaStream_t stream, dim3 grid, const Problem& problem, int64_t head_dim) {
  const float scale = 1.4426950408889634f / std::sqrt(static_cast<float>(head_dim));  // log2(e)
  Launch(stream, {grid, dim3(kThreads), sizeof(Shared<kHead>)}, AttendWmmaKernel<kHead, Problem>,
         problem, scale);
}

}  // namespace

void AttendWmma(cudaStream_t stream, const Tensor& y, const Tensor& q, const KvLayer& cache,
                const StepTables& tables) {
  constexpr int kHead = 128;
  const int64_t heads = q.cols / kHead;
  const dim3 grid(static_cast<unsigned>(tables.tile_count), static_cast<unsigned>(heads));
  WithType(y.dtype, [&](auto type) {
    using Y = decltype(type);
    LaunchKernel<kHead>(stream, grid, MakePagedProblem<Y>(y, q, cache, tables), kHead);
  });
}

void AttendFullWmma(cudaStream_t stream, const Tensor& y, const Tensor& q, const Tensor& k,
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
