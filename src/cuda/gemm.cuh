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
// warp of a scheduler covers in part. Tiles that do not fill all multiprocessors are divided over
// k.
#ifndef BAGEL_CUDA_GEMM_CUH_
#define BAGEL_CUDA_GEMM_CUH_

#include <mma.h>

#include <algorithm>

#include "cuda/context.h"
#include "cuda/launch.h"
#include "cuda/ptx.cuh"
#include "cuda/values.cuh"

namespace bagel {

// Where y goes, and what is done to it on the way.
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
// What a block's threads hold of its tile.
template <typename Shape>
inline constexpr int kBlockSums =
    Shape::kThreads* int{sizeof(WarpSums<Shape>) / sizeof(Sums)} * int{Sums::num_elements};

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
  Y* to = result.y.At(row, col);
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

// Where a tile begins: kRasterRows tiles of rows at a time, all their columns.
template <typename Shape, typename Y>
__device__ __forceinline__ int2 FirstOfTile(const GemmResult<Y>& result, int tile) {
  const int rows = (result.rows + Shape::kRows - 1) / Shape::kRows;
  const int cols = (result.cols + Shape::kCols - 1) / Shape::kCols;
  const int first = tile / (kRasterRows * cols) * kRasterRows;
  const int height = rows - first < kRasterRows ? rows - first : kRasterRows;
  const int index = tile - first * cols;
  return {(first + index % height) * Shape::kRows, index / height * Shape::kCols};
}

// Which tiles several blocks share, each of which takes a part of k.
struct SharedTiles {
  int first;      // so many tiles have a block of their own
  int parts;      // blocks of each tile behind them
  float* sums;    // [those tiles][parts][what a block's threads hold]
  int* counters;  // [those tiles]: parts that are done; 0 before and after
};

// What a block does.
struct BlockShare {
  int tile, part;
  bool alone;

  __device__ explicit BlockShare(const SharedTiles& tiles) {
    const int block = static_cast<int>(blockIdx.x), behind = block - tiles.first;
    alone = behind < 0 || tiles.parts == 1;
    tile = alone ? block : tiles.first + behind / tiles.parts;
    part = alone ? 0 : behind % tiles.parts;
  }
};

// Leaves a block's sums of a shared tile for the block that is the last to do so, where all are
// added, always in the same order; returns whether this is it.
template <typename Shape>
__device__ __forceinline__ bool AddParts(WarpSums<Shape>& sums, const SharedTiles& tiles,
                                         const BlockShare& share) {
  const int tile = share.tile - tiles.first;
  float* parts =
      tiles.sums + static_cast<int64_t>(tile) * tiles.parts * kBlockSums<Shape> + threadIdx.x;
  const auto for_each = [&](int part, const auto& body) {
    float* place = parts + static_cast<int64_t>(part) * kBlockSums<Shape>;
#pragma unroll
    for (auto& row : sums)
#pragma unroll
      for (Sums& fragment : row)
#pragma unroll
        for (int i = 0; i < Sums::num_elements; ++i, place += Shape::kThreads)
          body(fragment.x[i], *place);
  };
  for_each(share.part, [](float sum, float& place) { place = sum; });
  if (!IsLastBlock(&tiles.counters[tile], tiles.parts)) return false;
  for_each(0, [](float& sum, float place) { sum = place; });
#pragma unroll 1
  for (int part = 1; part < tiles.parts; ++part)
    for_each(part, [](float& sum, float place) { sum += place; });
  return true;
}

template <typename Shape, typename Y, typename A, typename B>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks)
    GemmKernel(GemmResult<Y> result, A a_source, B b_source, int depth, SharedTiles tiles) {
  auto& shared = *reinterpret_cast<Shared<Shape>*>(SharedMemory());
  a_source.Prepare();
  b_source.Prepare();
  const BlockShare share(tiles);
  const int2 first = FirstOfTile<Shape>(result, share.tile);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int warp_row = warp % Shape::kRowParts * Shape::kWarpRows;
  const int warp_col = warp / Shape::kRowParts * Shape::kWarpCols;
  const int steps = (depth + Shape::kDepth - 1) / Shape::kDepth;
  const int begin = share.alone ? 0 : steps * share.part / tiles.parts * Shape::kDepth;
  const int end = share.alone ? depth : steps * (share.part + 1) / tiles.parts * Shape::kDepth;

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

  if (!share.alone && !AddParts<Shape>(sums, tiles, share)) return;
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

// How many tiles of a result have a block of their own; the others are shared by `parts` blocks.
struct GemmParts {
  int64_t alone, parts;
};

// The tiles that do not fill the multiprocessors once more are shared, so that they take a part of
// a turn; each part costs as much as some steps, since its sums are written and read once more.
template <typename Shape>
GemmParts ShareLastTurn(const CudaContext& context, int64_t rows, int64_t cols, int64_t depth) {
  constexpr int64_t kMostParts = 8, kFewSteps = 8;
  constexpr double kSteps = 8;
  const int64_t places = int64_t{context.multiprocessors()} * Shape::kBlocks;
  const int64_t tiles = gemm::GemmTiles<Shape>(rows, cols), last = tiles % places;
  const int64_t most = std::min(kMostParts, depth / Shape::kDepth / kFewSteps);
  const auto all = static_cast<double>(depth) / Shape::kDepth;
  int64_t best = 1;
  double least = 1;
  for (int64_t parts = 2; parts <= most; ++parts) {
    const auto turns = static_cast<double>((last * parts + places - 1) / places);
    const double cost =
        turns / static_cast<double>(parts) + kSteps * static_cast<double>(parts) / all;
    if (cost >= least) continue;
    least = cost;
    best = parts;
  }
  return {tiles - last, best};
}

template <typename Shape, typename Y, typename A, typename B>
void LaunchGemm(CudaContext& context, const GemmResult<Y>& result, const A& a, const B& b,
                int64_t depth, const GemmParts& parts) {
  constexpr size_t kStaging =
      Shape::kThreads / 32 * sizeof(float) * gemm::kSide * gemm::kStagingStride;
  const int64_t tiles = gemm::GemmTiles<Shape>(result.rows, result.cols);
  const int64_t shared = parts.parts == 1 ? 0 : tiles - parts.alone;
  gemm::SharedTiles of_blocks{static_cast<int>(tiles - shared), static_cast<int>(parts.parts),
                              nullptr, nullptr};
  if (shared > 0) {
    const int64_t values = shared * parts.parts * gemm::kBlockSums<Shape>;
    of_blocks.sums =
        static_cast<float*>(context.BlockScratch(static_cast<size_t>(values) * sizeof(float)));
    of_blocks.counters = context.Counters(shared);
  }
  const dim3 grid(static_cast<unsigned>(tiles - shared + shared * parts.parts));
  Launch(context.stream(),
         {grid, dim3(Shape::kThreads), std::max(sizeof(gemm::Shared<Shape>), kStaging)},
         gemm::GemmKernel<Shape, Y, A, B>, result, a, b, static_cast<int>(depth), of_blocks);
}

}  // namespace bagel

#endif  // BAGEL_CUDA_GEMM_CUH_
