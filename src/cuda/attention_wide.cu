// Softmax as the keys come, after FlashAttention (https://arxiv.org/abs/2205.14135), where a head
// is too wide for a warp to hold rows of it: a block's warps share 64 queries, and each holds 64
// columns of their sums.
#include <mma.h>

#include <cmath>

#include "cuda/attention_wide.h"
#include "cuda/launch.h"
#include "cuda/ptx.cuh"
#include "cuda/values.cuh"

namespace bagel {
namespace {

namespace wmma = nvcuda::wmma;

constexpr int kSide = 16;  // of a matrix fragment
constexpr int kHead = 512;
constexpr int kWarps = 8, kThreads = 32 * kWarps;
constexpr int kRows = 64, kKeys = kSide;
constexpr int kRowParts = kRows / kSide;
constexpr int kColumns = kHead / kWarps;  // of a warp
constexpr int kColumnParts = kColumns / kSide;
// Warps that share the scores of 16 queries, each over its part of the columns.
constexpr int kShares = kWarps / kRowParts;
constexpr int kLanes = kThreads / kRows;  // that soften a row
constexpr int kLaneKeys = kKeys / kLanes;
// A tile is copied eight columns at a time, kTurnRows rows by the whole block.
constexpr int kChunks = kHead / 8, kTurnRows = kThreads / kChunks, kTurns = kKeys / kTurnRows;
// Strides in shared memory that spread rows over the banks.
constexpr int kStride = kHead + 8, kScoreStride = kKeys + 4, kWeightStride = kKeys + 8;

using Sums = SumFragment;
using Left = LeftFragment;
using Right = RightRowsFragment;
using RightTurned = RightFragment;

struct Shared {
  __half queries[kRows * kStride];
  __half tile[kKeys * kStride];  // keys, then values
  // Becomes in its first part the factor by which a row's sums shrink, in each of its columns.
  float scores[kShares][kRows * kScoreStride];
  __half weights[kRows * kWeightStride];
};
static_assert(sizeof(Shared) <= 96 << 10, "what a V100 has");

// Rows of a head, a tile of them after another.
class Rows {
 public:
  __device__ Rows(const View<const __half>& from, int64_t first_row, int64_t first_column,
                  int count, int head_dim)
      : at_(from.At(first_row + Row(), first_column + Column())),
        stride_(from.stride),
        left_(Column() < head_dim ? count - Row() : 0) {}

  // Fetches the next tile into this thread's registers, zeros behind the last row and column.
  __device__ __forceinline__ void Load(uint4 (&values)[kTurns]) {
#pragma unroll
    for (int turn = 0; turn < kTurns; ++turn) {
      values[turn] = make_uint4(0, 0, 0, 0);
      if (turn * kTurnRows < left_)
        values[turn] = *reinterpret_cast<const uint4*>(at_ + turn * kTurnRows * stride_);
    }
    at_ += kKeys * stride_;
    left_ -= kKeys;
  }
  // Puts them into shared memory.
  __device__ static __forceinline__ void Store(__half* to, const uint4 (&values)[kTurns]) {
#pragma unroll
    for (int turn = 0; turn < kTurns; ++turn)
      *reinterpret_cast<uint4*>(to + (Row() + turn * kTurnRows) * kStride + Column()) =
          values[turn];
  }

 private:
  __device__ static int Row() { return static_cast<int>(threadIdx.x) / kChunks; }
  __device__ static int Column() { return static_cast<int>(threadIdx.x) % kChunks * 8; }

  const __half* at_;
  int64_t stride_;
  int left_;
};

// A warp's part of the scores of its 16 queries.
__device__ __forceinline__ void Score(Shared& shared, int warp) {
  constexpr int kPart = kHead / kShares;
  const int row = warp % kRowParts * kSide, share = warp / kRowParts;
  Sums dots;
  wmma::fill_fragment(dots, 0.0f);
#pragma unroll 8
  for (int dim = share * kPart; dim < (share + 1) * kPart; dim += kSide) {
    Left left;
    RightTurned turned;
    LoadShared(left, shared.queries + row * kStride + dim, kStride);
    LoadShared(turned, shared.tile + dim, kStride);
    wmma::mma_sync(dots, left, turned, dots);
  }
  StoreShared(shared.scores[share] + row * kScoreStride, dots, kScoreStride);
}

// The state of a row's softmax, held by all of its lanes.
struct RowState {
  float largest = -INFINITY;
  float total = 0;
};

// Turns scores into weights and factors; keys from `count` on do not count.
__device__ __forceinline__ void Soften(Shared& shared, RowState& state, int count, float scale) {
  const int row = static_cast<int>(threadIdx.x) / kLanes;
  const int part = static_cast<int>(threadIdx.x) % kLanes * kLaneKeys;
  float scores[kLaneKeys], largest = -INFINITY;
#pragma unroll
  for (int i = 0; i < kLaneKeys; ++i) {
    float sum = 0;
#pragma unroll
    for (int share = 0; share < kShares; ++share)
      sum += shared.scores[share][row * kScoreStride + part + i];
    scores[i] = part + i < count ? sum * scale : -INFINITY;
    largest = fmaxf(largest, scores[i]);
  }
#pragma unroll
  for (int offset = 1; offset < kLanes; offset *= 2)
    largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, offset));
  const float next = fmaxf(state.largest, largest);  // finite: every tile has a key
  const float factor = FastExp2(state.largest - next);
  float total = 0;
#pragma unroll
  for (int i = 0; i < kLaneKeys; ++i) {
    const float weight = FastExp2(scores[i] - next);
    total += weight;
    shared.weights[row * kWeightStride + part + i] = __float2half_rn(weight);
    shared.scores[0][row * kScoreStride + part + i] = factor;
  }
#pragma unroll
  for (int offset = 1; offset < kLanes; offset *= 2)
    total += __shfl_xor_sync(0xFFFFFFFFu, total, offset);
  state.largest = next;
  state.total = state.total * factor + total;
}

// Multiplies each row of the sums by its factor.
__device__ __forceinline__ void Shrink(const Shared& shared,
                                       Sums (&sums)[kRowParts][kColumnParts]) {
#pragma unroll
  for (int r = 0; r < kRowParts; ++r) {
    Sums factors;
    wmma::load_matrix_sync(factors, shared.scores[0] + r * kSide * kScoreStride, kScoreStride,
                           wmma::mem_row_major);
#pragma unroll
    for (auto& part : sums[r])
#pragma unroll
      for (int e = 0; e < Sums::num_elements; ++e) part.x[e] *= factors.x[e];
  }
}

// sums += weights times the tile's values.
__device__ __forceinline__ void Gather(const Shared& shared, Sums (&sums)[kRowParts][kColumnParts],
                                       int warp) {
  Left left[kRowParts];
#pragma unroll
  for (int r = 0; r < kRowParts; ++r)
    LoadShared(left[r], shared.weights + r * kSide * kWeightStride, kWeightStride);
#pragma unroll
  for (int c = 0; c < kColumnParts; ++c) {
    Right right;
    LoadShared(right, shared.tile + warp * kColumns + c * kSide, kStride);
#pragma unroll
    for (int r = 0; r < kRowParts; ++r) wmma::mma_sync(sums[r][c], left[r], right, sums[r][c]);
  }
}

// Writes a warp's columns through a part of the queries' memory.
template <typename Y>
__device__ void StoreResult(Shared& shared, const Sums (&sums)[kRowParts][kColumnParts],
                            const View<Y>& y, int64_t first_row, int64_t first_column, int count,
                            int head_dim, int warp) {
  constexpr int kStagingStride = kSide + 4;
  float* staging = reinterpret_cast<float*>(shared.queries) + warp * kSide * kStagingStride;
  const int lane = static_cast<int>(threadIdx.x % 32), row = lane / 2, part = lane % 2 * 8;
#pragma unroll
  for (int r = 0; r < kRowParts; ++r)
#pragma unroll
    for (int c = 0; c < kColumnParts; ++c) {
      __syncwarp();
      StoreShared(staging, sums[r][c], kStagingStride);
      __syncwarp();
      const int column = warp * kColumns + c * kSide + part;
      if (r * kSide + row >= count || column >= head_dim) continue;
      float values[8];
      LoadValues<8>(staging + row * kStagingStride + part, values);
      StoreValues<8>(y.At(first_row + r * kSide + row, first_column + column), values);
    }
}

// Grid: tiles of queries, heads.
template <typename Y>
__global__ void __launch_bounds__(kThreads)
    AttendWideKernel(View<Y> y, View<const __half> q, View<const __half> k, View<const __half> v,
                     int rows, int head_dim, float scale) {
  auto& shared = *reinterpret_cast<Shared*>(SharedMemory());
  const int warp = static_cast<int>(threadIdx.x / 32), first = static_cast<int>(blockIdx.x) * kRows;
  const int64_t column = static_cast<int64_t>(blockIdx.y) * head_dim;
  const int count = rows - first < kRows ? rows - first : kRows;
  uint4 carried[kTurns];
  Rows queries(q, first, column, count, head_dim);
#pragma unroll 1
  for (int row = 0; row < kRows; row += kKeys) {
    queries.Load(carried);
    Rows::Store(shared.queries + row * kStride, carried);
  }
  Sums sums[kRowParts][kColumnParts];
#pragma unroll
  for (auto& row : sums)
#pragma unroll
    for (auto& part : row) wmma::fill_fragment(part, 0.0f);

  RowState state;
  Rows keys(k, 0, column, rows, head_dim), values(v, 0, column, rows, head_dim);
  keys.Load(carried);
  for (int key = 0; key < rows; key += kKeys) {
    __syncthreads();  // the values of the tile before are used
    Rows::Store(shared.tile, carried);
    values.Load(carried);
    __syncthreads();
    Score(shared, warp);
    __syncthreads();
    Rows::Store(shared.tile, carried);
    keys.Load(carried);
    Soften(shared, state, rows - key, scale);
    __syncthreads();
    Shrink(shared, sums);
    Gather(shared, sums, warp);
  }
  __syncthreads();
  const int place = static_cast<int>(threadIdx.x) / kLanes * kScoreStride +
                    static_cast<int>(threadIdx.x) % kLanes * kLaneKeys;
#pragma unroll
  for (int i = 0; i < kLaneKeys; ++i) shared.scores[0][place + i] = 1.0f / state.total;
  __syncthreads();
  Shrink(shared, sums);
  StoreResult(shared, sums, y, first, column, count, head_dim, warp);
}

}  // namespace

void AttendFullWide(cudaStream_t stream, const Tensor& y, const Tensor& q, const Tensor& k,
                    const Tensor& v, int64_t heads) {
  const int64_t head_dim = q.cols / heads;
  CHECK(head_dim <= kHead);
  const float scale = 1.4426950408889634f / std::sqrt(static_cast<float>(head_dim));  // log2(e)
  const dim3 grid(static_cast<unsigned>((q.rows + kRows - 1) / kRows),
                  static_cast<unsigned>(heads));
  WithType(y.dtype, [&](auto type) {
    using Y = decltype(type);
    Launch(stream, {grid, dim3(kThreads), sizeof(Shared)}, AttendWideKernel<Y>, ViewOf<Y>(y),
           ViewOf<const __half>(q), ViewOf<const __half>(k), ViewOf<const __half>(v),
           static_cast<int>(q.rows), static_cast<int>(head_dim), scale);
  });
}

}  // namespace bagel
