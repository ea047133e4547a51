#include <algorithm>

#include "cuda/launch.h"
#include "cuda/moments.h"
#include "cuda/values.cuh"

namespace bagel {
namespace {

constexpr unsigned kThreads = 256;

// Sums of x and of x^2 over the rows of one block for every column: partials [blocks][2][cols].
template <typename X>
__global__ void PartialSumsKernel(double* partials, View<const X> x, int64_t rows, int cols,
                                  int64_t block_rows) {
  const int64_t first = blockIdx.x * block_rows;
  const int64_t last = first + block_rows < rows ? first + block_rows : rows;
  double* sums = partials + static_cast<int64_t>(blockIdx.x) * 2 * cols;
  for (int column = static_cast<int>(threadIdx.x); column < cols;
       column += static_cast<int>(blockDim.x)) {
    double sum = 0, squares = 0;
    for (int64_t row = first; row < last; ++row) {
      const double value = static_cast<double>(ToFloat(*x.At(row, column)));
      sum += value;
      squares += value * value;
    }
    sums[column] = sum;
    sums[cols + column] = squares;
  }
}

// One block a group.
__global__ void MomentsKernel(View<float> y, const double* partials, int blocks, int cols,
                              int group_cols, double count) {
  __shared__ double shared[2][kThreads];
  const int first = static_cast<int>(blockIdx.x) * group_cols;
  const int total = blocks * group_cols;
  double sum = 0, squares = 0;
  for (int i = static_cast<int>(threadIdx.x); i < total; i += static_cast<int>(kThreads)) {
    const double* sums = partials + static_cast<int64_t>(i / group_cols) * 2 * cols;
    const int column = first + i % group_cols;
    sum += sums[column];
    squares += sums[cols + column];
  }
  shared[0][threadIdx.x] = sum;
  shared[1][threadIdx.x] = squares;
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x >= half) continue;
    shared[0][threadIdx.x] += shared[0][threadIdx.x + half];
    shared[1][threadIdx.x] += shared[1][threadIdx.x + half];
  }
  if (threadIdx.x != 0) return;
  const double mean = shared[0][0] / count;
  const double variance = shared[1][0] / count - mean * mean;
  *y.At(0, blockIdx.x) = static_cast<float>(mean);
  *y.At(1, blockIdx.x) = static_cast<float>(variance > 0 ? variance : 0);
}

}  // namespace

void CudaGroupMoments(CudaContext& context, const Tensor& y, const Tensor& x, int64_t groups) {
  constexpr int64_t kMaxBlocks = 1024, kLeastRows = 16;
  const int64_t block_rows = std::max(kLeastRows, (x.rows + kMaxBlocks - 1) / kMaxBlocks);
  const int64_t blocks = (x.rows + block_rows - 1) / block_rows;
  auto* partials = static_cast<double*>(
      context.Scratch(static_cast<size_t>(blocks * 2 * x.cols) * sizeof(double)));
  const auto threads = static_cast<unsigned>(std::min<int64_t>(kThreads, (x.cols + 31) / 32 * 32));
  const auto cols = static_cast<int>(x.cols);
  WithType(x.dtype, [&](auto type) {
    using X = decltype(type);
    Launch(context.stream(), {dim3(static_cast<unsigned>(blocks)), dim3(threads)},
           PartialSumsKernel<X>, partials, ViewOf<const X>(x), x.rows, cols, block_rows);
  });
  const int64_t group_cols = x.cols / groups;
  Launch(context.stream(), {dim3(static_cast<unsigned>(groups)), dim3(kThreads)}, MomentsKernel,
         ViewOf<float>(y), partials, static_cast<int>(blocks), cols, static_cast<int>(group_cols),
         static_cast<double>(group_cols * x.rows));
}

}  // namespace bagel
