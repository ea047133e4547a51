// Products of many rows on the tensor cores of every card from the V100 on: y[m][n] = sum_k A[m][k]
// B[n][k], where A and B come from wherever their sources find them, unpacked on the way into
// shared memory.
//
// A source has a type Raw, what a thread holds of sixteen neighbouring values as they are stored;
// Fetch(row, k), which begins to load them, zeros outside; Unpack(raw, halves), which turns them
// into f16; and Prepare(), which all threads call once. k is a multiple of 16. A source of B also
// has kBlocks: the blocks of a multiprocessor for which the registers suffice.
#ifndef BAGEL_CUDA_GEMM_CUH_
#define BAGEL_CUDA_GEMM_CUH_

#include <mma.h>

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
};

namespace gemm {

namespace wmma = nvcuda::wmma;

constexpr int kSide = 16;            // of a fragment
constexpr int kTile = 128;           // rows and columns of y that a block makes
constexpr int kDepth = 32;           // of k, taken at once
constexpr int kStride = kDepth + 8;  // spreads rows over the banks
constexpr int kThreads = 256;
constexpr int kWarpRows = 64, kWarpCols = 32;  // of a warp, two by four of them
constexpr int kStagingStride = kSide + 4;

struct Shared {
  __half a[2][kTile * kStride];
  __half b[2][kTile * kStride];
};

using Sums = wmma::fragment<wmma::accumulator, kSide, kSide, kSide, float>;

// Sixteen values of a thread into a tile.
template <typename Source>
__device__ __forceinline__ void StoreTile(__half* tile, const Source& source,
                                          const typename Source::Raw& raw) {
  uint4 halves[2];
  source.Unpack(raw, halves);
  auto* to = reinterpret_cast<uint4*>(tile + threadIdx.x / 2 * kStride + threadIdx.x % 2 * 16);
  to[0] = halves[0];
  to[1] = halves[1];
}

__device__ __forceinline__ void MultiplyTiles(Sums (&sums)[kWarpRows / kSide][kWarpCols / kSide],
                                              const __half* a, const __half* b) {
#pragma unroll
  for (int k = 0; k < kDepth; k += kSide) {
    wmma::fragment<wmma::matrix_b, kSide, kSide, kSide, __half, wmma::col_major>
        right[kWarpCols / kSide];
#pragma unroll
    for (int n = 0; n < kWarpCols / kSide; ++n)
      wmma::load_matrix_sync(right[n], b + n * kSide * kStride + k, kStride);
#pragma unroll
    for (int m = 0; m < kWarpRows / kSide; ++m) {
      wmma::fragment<wmma::matrix_a, kSide, kSide, kSide, __half, wmma::row_major> left;
      wmma::load_matrix_sync(left, a + m * kSide * kStride + k, kStride);
#pragma unroll
      for (int n = 0; n < kWarpCols / kSide; ++n)
        wmma::mma_sync(sums[m][n], left, right[n], sums[m][n]);
    }
  }
}

// Writes one fragment of y through `staging` [kSide][kStagingStride]; two lanes a row.
template <typename Y>
__device__ __forceinline__ void StoreFragment(const GemmResult<Y>& result, const Sums& sums,
                                              float* staging, int first_row, int first_col) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  __syncwarp();
  wmma::store_matrix_sync(staging, sums, kStagingStride, wmma::mem_row_major);
  __syncwarp();
  const int row = first_row + lane / 2, part = lane % 2 * 8;
  if (row >= result.rows) return;
  const float* from = staging + lane / 2 * kStagingStride + part;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int col = first_col + part + i;
    if (col >= result.cols) break;
    const float value = from[i] * result.scale + (result.bias != nullptr ? result.bias[col] : 0.0f);
    Y* to = result.y.At(row, col);
    *to = FromFloat<Y>(result.add ? ToFloat(*to) + value : value);
  }
}

// Grid: tiles of rows, tiles of columns.
template <typename Y, typename A, typename B>
__global__ void __launch_bounds__(kThreads, B::kBlocks)
    GemmKernel(GemmResult<Y> result, A a_source, B b_source, int depth) {
  auto& shared = *reinterpret_cast<Shared*>(SharedMemory());
  a_source.Prepare();
  b_source.Prepare();
  const int first_row = static_cast<int>(blockIdx.x) * kTile;
  const int first_col = static_cast<int>(blockIdx.y) * kTile;
  const int thread_row = static_cast<int>(threadIdx.x / 2);
  const int thread_k = static_cast<int>(threadIdx.x % 2) * 16;
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int warp_row = warp / 4 * kWarpRows, warp_col = warp % 4 * kWarpCols;

  Sums sums[kWarpRows / kSide][kWarpCols / kSide];
#pragma unroll
  for (auto& row : sums)
#pragma unroll
    for (Sums& fragment : row) wmma::fill_fragment(fragment, 0.0f);

  auto a = a_source.Fetch(first_row + thread_row, thread_k);
  auto b = b_source.Fetch(first_col + thread_row, thread_k);
  __syncthreads();  // the sources' tables
  StoreTile(shared.a[0], a_source, a);
  StoreTile(shared.b[0], b_source, b);
  __syncthreads();
  int stage = 0;
  for (int k = 0; k < depth; k += kDepth) {
    const bool more = k + kDepth < depth;
    if (more) {
      a = a_source.Fetch(first_row + thread_row, k + kDepth + thread_k);
      b = b_source.Fetch(first_col + thread_row, k + kDepth + thread_k);
    }
    MultiplyTiles(sums, shared.a[stage] + warp_row * kStride, shared.b[stage] + warp_col * kStride);
    if (more) {
      StoreTile(shared.a[1 - stage], a_source, a);
      StoreTile(shared.b[1 - stage], b_source, b);
    }
    __syncthreads();
    stage = 1 - stage;
  }

  float* staging = reinterpret_cast<float*>(&shared) + warp * kSide * kStagingStride;
#pragma unroll
  for (int m = 0; m < kWarpRows / kSide; ++m)
#pragma unroll
    for (int n = 0; n < kWarpCols / kSide; ++n)
      StoreFragment(result, sums[m][n], staging, first_row + warp_row + m * kSide,
                    first_col + warp_col + n * kSide);
}

}  // namespace gemm

template <typename Y, typename A, typename B>
void LaunchGemm(cudaStream_t stream, const GemmResult<Y>& result, const A& a, const B& b,
                int64_t depth) {
  const dim3 grid((static_cast<unsigned>(result.rows) + gemm::kTile - 1) / gemm::kTile,
                  (static_cast<unsigned>(result.cols) + gemm::kTile - 1) / gemm::kTile);
  Launch(stream, {grid, dim3(gemm::kThreads), sizeof(gemm::Shared)}, gemm::GemmKernel<Y, A, B>,
         result, a, b, static_cast<int>(depth));
}

}  // namespace bagel

#endif  // BAGEL_CUDA_GEMM_CUH_
