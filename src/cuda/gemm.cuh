// Products of more than a few rows on the tensor cores of every card from the V100 on: y[m][n] =
// sum_k A[m][k] B[n][k], where A and B come from wherever their sources find them, unpacked on the
// way into shared memory.
//
// A source has kPiece, 8 or 16 neighbouring values that a thread fetches at once; a type Raw, what
// it holds of them as they are stored; Fetch(row, k), which begins to load them, zeros outside;
// Unpack(raw, halves), which turns them into f16; and Prepare(), which all threads call once.
//
// What limits a V100 (80 multiprocessors, each 512 multiply-adds and 128 bytes of shared memory a
// cycle, four warps' instructions): warps of 64 x 64 multiply 65536 times in 16 of k, 128 cycles,
// for which they read eight fragments of 512 bytes that WMMA keeps twice in a warp: 32 to 64
// cycles of shared memory; writing 384 rows of tiles is another 1/10. Tensor instructions take an
// issue slot in two, all else (about 40 in 300) fits between them. So the tensor cores are what
// limits it; what is lost is the wait at the end of a step, which the other block or the other
// warp of a scheduler covers in part.
#ifndef BAGEL_CUDA_GEMM_CUH_
#define BAGEL_CUDA_GEMM_CUH_

#include <mma.h>

#include <algorithm>

#include "cuda/launch.h"
#include "cuda/ptx.cuh"
#include "cuda/values.cuh"

namespace bagel {

// Where y goes, and what is done to it on the way. Part p of a product that is divided over k goes
// to rows p * rows and on.
template <typename Y>
struct GemmResult {
  View<Y> y;
  const float* bias;  // or null
  int rows, cols;
  float scale;
  bool add;
  bool eights;  // eight columns of y can be read and written at a time
};

template <typename Y>
GemmResult<Y> GemmResultOf(const Tensor& y, const float* bias, bool add, float scale) {
  return {ViewOf<Y>(y), bias,       static_cast<int>(y.rows), static_cast<int>(y.cols), scale,
          add,          InEights(y)};
}

// The tile of y that a block makes: kWarpRows x kWarpCols a warp, by steps of kDepth_ of k.
// kBlocks_ blocks share a multiprocessor.
template <int kRowWarps, int kColWarps, int kWarpRows_, int kWarpCols_, int kDepth_, int kBlocks_>
struct GemmShape {
  static constexpr int kWarpRows = kWarpRows_, kWarpCols = kWarpCols_;
  static constexpr int kRows = kRowWarps * kWarpRows, kCols = kColWarps * kWarpCols;
  static constexpr int kRowParts = kRowWarps;
  static constexpr int kDepth = kDepth_, kStride = kDepth + 8;  // spreads rows over the banks
  static constexpr int kThreads = 32 * kRowWarps * kColWarps;
  static constexpr int kBlocks = kBlocks_;
};

namespace gemm {

namespace wmma = nvcuda::wmma;

constexpr int kSide = 16;  // of a fragment
constexpr int kStagingStride = kSide + 4;
constexpr int kRasterRows = 8;  // tiles of rows that are walked together: their columns stay in L2

template <typename Shape>
struct Shared {
  __half a[2][Shape::kRows * Shape::kStride];
  __half b[2][Shape::kCols * Shape::kStride];
};

using Sums = SumFragment;

// What a thread holds of a tile [kRows][Shape::kDepth] on its way to shared memory.
template <typename Shape, typename Source, int kRows>
class TilePieces {
 public:
  __device__ __forceinline__ void Fetch(const Source& source, int first_row, int k) {
#pragma unroll
    for (int i = 0; i < kCount; ++i)
      if (Has(i)) raws_[i] = source.Fetch(first_row + Row(i), k + Column(i));
  }
  __device__ __forceinline__ void Store(const Source& source, __half* tile) const {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      if (!Has(i)) continue;
      uint4 halves[Source::kPiece / 8];
      source.Unpack(raws_[i], halves);
      auto* to = reinterpret_cast<uint4*>(tile + Row(i) * Shape::kStride + Column(i));
#pragma unroll
      for (int part = 0; part < Source::kPiece / 8; ++part) to[part] = halves[part];
    }
  }

 private:
  static constexpr int kOfRow = Shape::kDepth / Source::kPiece, kAll = kRows * kOfRow;
  static constexpr int kCount = (kAll + Shape::kThreads - 1) / Shape::kThreads;

  __device__ static int Index(int i) { return static_cast<int>(threadIdx.x) + i * Shape::kThreads; }
  __device__ static bool Has(int i) { return kAll % Shape::kThreads == 0 || Index(i) < kAll; }
  // Of eight rows the first is followed by the fifth, and so on: where eight threads store two
  // rows' 64 bytes each, these lie on different banks.
  __device__ static int Row(int i) {
    const int row = Index(i) / kOfRow;
    return row / 8 * 8 + row % 2 * 4 + row % 8 / 2;
  }
  __device__ static int Column(int i) { return Index(i) % kOfRow * Source::kPiece; }

  typename Source::Raw raws_[kCount];
};

template <typename Shape>
using WarpSums = Sums[Shape::kWarpRows / kSide][Shape::kWarpCols / kSide];

// kSide of k.
template <typename Shape>
__device__ __forceinline__ void MultiplyTiles(WarpSums<Shape>& sums, const __half* a,
                                              const __half* b) {
  constexpr int kStride = Shape::kStride;
  RightFragment right[Shape::kWarpCols / kSide];
#pragma unroll
  for (int n = 0; n < Shape::kWarpCols / kSide; ++n)
    LoadShared(right[n], b + n * kSide * kStride, kStride);
#pragma unroll
  for (int m = 0; m < Shape::kWarpRows / kSide; ++m) {
    LeftFragment left;
    LoadShared(left, a + m * kSide * kStride, kStride);
#pragma unroll
    for (int n = 0; n < Shape::kWarpCols / kSide; ++n)
      wmma::mma_sync(sums[m][n], left, right[n], sums[m][n]);
  }
}

// Writes one fragment of y through `staging` [kSide][kStagingStride]; two lanes a row.
template <typename Y>
__device__ __forceinline__ void StoreFragment(const GemmResult<Y>& result, const Sums& sums,
                                              float* staging, int first_row, int first_col) {
  constexpr int kCols = 8;  // of a lane
  const int lane = static_cast<int>(threadIdx.x % 32);
  __syncwarp();
  StoreShared(staging, sums, kStagingStride);
  __syncwarp();
  const int row = first_row + lane / 2, col = first_col + lane % 2 * kCols;
  if (row >= result.rows || col >= result.cols) return;
  const int count = result.cols - col < kCols ? result.cols - col : kCols;
  float values[kCols];
  LoadValues<kCols>(staging + lane / 2 * kStagingStride + lane % 2 * kCols, values);
#pragma unroll
  for (int i = 0; i < kCols; ++i)
    values[i] = values[i] * result.scale +
                (result.bias != nullptr && i < count ? result.bias[col + i] : 0.0f);
  Y* to = result.y.At(static_cast<int64_t>(blockIdx.y) * result.rows + row, col);
  if (result.eights) {
    if (result.add) {
      float before[kCols];
      LoadValues<kCols>(to, before);
#pragma unroll
      for (int i = 0; i < kCols; ++i) values[i] += before[i];
    }
    StoreValues<kCols>(to, values);
    return;
  }
#pragma unroll
  for (int i = 0; i < kCols; ++i)
    if (i < count) to[i] = FromFloat<Y>(result.add ? ToFloat(to[i]) + values[i] : values[i]);
}

// The block's tile: kRasterRows tiles of rows at a time, all their columns.
template <typename Shape, typename Y>
__device__ __forceinline__ int2 FirstOfTile(const GemmResult<Y>& result) {
  const int rows = (result.rows + Shape::kRows - 1) / Shape::kRows;
  const int cols = (result.cols + Shape::kCols - 1) / Shape::kCols;
  const int tile = static_cast<int>(blockIdx.x);
  const int first = tile / (kRasterRows * cols) * kRasterRows;
  const int height = rows - first < kRasterRows ? rows - first : kRasterRows;
  const int index = tile - first * cols;
  return {(first + index % height) * Shape::kRows, index / height * Shape::kCols};
}

// Grid: tiles of y, parts of k of `depth` each, a multiple of Shape::kDepth.
template <typename Shape, typename Y, typename A, typename B>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks)
    GemmKernel(GemmResult<Y> result, A a_source, B b_source, int all_depth, int depth) {
  auto& shared = *reinterpret_cast<Shared<Shape>*>(SharedMemory());
  a_source.Prepare();
  b_source.Prepare();
  const int2 first = FirstOfTile<Shape>(result);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int warp_row = warp % Shape::kRowParts * Shape::kWarpRows;
  const int warp_col = warp / Shape::kRowParts * Shape::kWarpCols;
  const int begin = static_cast<int>(blockIdx.y) * depth;
  const int end = all_depth - begin < depth ? all_depth : begin + depth;

  WarpSums<Shape> sums;
#pragma unroll
  for (auto& row : sums)
#pragma unroll
    for (Sums& fragment : row) wmma::fill_fragment(fragment, 0.0f);

  TilePieces<Shape, A, Shape::kRows> a;
  TilePieces<Shape, B, Shape::kCols> b;
  a.Fetch(a_source, first.x, begin);
  b.Fetch(b_source, first.y, begin);
  __syncthreads();  // the sources' tables
  a.Store(a_source, shared.a[0]);
  b.Store(b_source, shared.b[0]);
  __syncthreads();
  const auto fetch = [&](int k) {
    if (k >= end) return;
    a.Fetch(a_source, first.x, k);
    b.Fetch(b_source, first.y, k);
  };
  fetch(begin + Shape::kDepth);
  int stage = 0;
  for (int k = begin; k < end; k += Shape::kDepth) {
    const __half* a_tile = shared.a[stage] + warp_row * Shape::kStride;
    const __half* b_tile = shared.b[stage] + warp_col * Shape::kStride;
#pragma unroll
    for (int slice = 0; slice < Shape::kDepth; slice += kSide) {
      MultiplyTiles<Shape>(sums, a_tile + slice, b_tile + slice);
      // In between, so that while one warp stores others multiply.
      if (slice > 0 || k + Shape::kDepth >= end) continue;
      a.Store(a_source, shared.a[1 - stage]);
      b.Store(b_source, shared.b[1 - stage]);
      fetch(k + 2 * Shape::kDepth);
    }
    __syncthreads();
    stage = 1 - stage;
  }

  float* staging = reinterpret_cast<float*>(&shared) + warp * kSide * kStagingStride;
#pragma unroll
  for (int m = 0; m < Shape::kWarpRows / kSide; ++m)
#pragma unroll
    for (int n = 0; n < Shape::kWarpCols / kSide; ++n)
      StoreFragment(result, sums[m][n], staging, first.x + warp_row + m * kSide,
                    first.y + warp_col + n * kSide);
}

// The tiles of a result.
template <typename Shape>
int64_t GemmTiles(int64_t rows, int64_t cols) {
  return ((rows + Shape::kRows - 1) / Shape::kRows) * ((cols + Shape::kCols - 1) / Shape::kCols);
}

}  // namespace gemm

// In at most `parts` of k, whose results lie below each other; returns their number.
template <typename Shape, typename Y, typename A, typename B>
int64_t LaunchGemm(cudaStream_t stream, const GemmResult<Y>& result, const A& a, const B& b,
                   int64_t depth, int64_t parts = 1) {
  constexpr int64_t kStep = Shape::kDepth;
  constexpr size_t kStaging =
      Shape::kThreads / 32 * sizeof(float) * gemm::kSide * gemm::kStagingStride;
  const int64_t steps = (depth + kStep - 1) / kStep, of_part = (steps + parts - 1) / parts;
  const int64_t made = (steps + of_part - 1) / of_part;
  const dim3 grid(static_cast<unsigned>(gemm::GemmTiles<Shape>(result.rows, result.cols)),
                  static_cast<unsigned>(made));
  Launch(stream, {grid, dim3(Shape::kThreads), std::max(sizeof(gemm::Shared<Shape>), kStaging)},
         gemm::GemmKernel<Shape, Y, A, B>, result, a, b, static_cast<int>(depth),
         static_cast<int>(of_part * kStep));
  return made;
}

}  // namespace bagel

#endif  // BAGEL_CUDA_GEMM_CUH_
