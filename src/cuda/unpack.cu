#include "cuda/gemm_sources.cuh"
#include "cuda/launch.h"
#include "cuda/unpack.h"
#include "cuda/values.cuh"
#include "cuda/weight_values.cuh"

namespace bagel {
namespace {

constexpr unsigned kThreads = 256;
constexpr int kEight = 8;

dim3 GridFor(int64_t count) {
  return dim3(static_cast<unsigned>((count + kThreads - 1) / kThreads));
}

__device__ inline int64_t ThreadIndex() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

// A piece of a row a thread.
template <typename Source>
__global__ void UnpackKernel(__half* values, Source source, int first, int in, int64_t total) {
  constexpr int kPiece = Source::kPiece;
  source.Prepare();
  __syncthreads();
  const int64_t index = ThreadIndex();
  if (index >= total) return;
  const int pieces = in / kPiece;
  const auto row = static_cast<int>(index / pieces);
  const auto column = static_cast<int>(index % pieces) * kPiece;
  uint4 halves[kPiece / kEight];
  source.Unpack(source.Fetch(first + row, column), halves);
  auto* to = reinterpret_cast<uint4*>(values + static_cast<int64_t>(row) * in + column);
  for (int i = 0; i < kPiece / kEight; ++i) to[i] = halves[i];
}

template <typename X>
struct ViewValues {
  View<const X> x;
  __device__ float operator()(int64_t row, int64_t column) const {
    return ToFloat(*x.At(row, column));
  }
};

// Eight columns a thread, of values(first + row, column).
template <typename Values>
__global__ void PadKernel(__half* to, Values values, int64_t first, int in, int columns,
                          int64_t total) {
  const int64_t index = ThreadIndex();
  if (index >= total) return;
  const int groups = columns / kEight;
  const int64_t row = index / groups;
  const auto column = static_cast<int>(index % groups) * kEight;
  float eight[kEight];
#pragma unroll
  for (int i = 0; i < kEight; ++i)
    eight[i] = column + i < in ? values(first + row, column + i) : 0.0f;
  StoreValues<kEight>(to + row * columns + column, eight);
}

template <typename Values>
void Pad(cudaStream_t stream, const Tensor& to, const Values& values, int64_t first, int64_t in) {
  const int64_t total = to.rows * (to.cols / kEight);
  Launch(stream, {GridFor(total), dim3(kThreads)}, PadKernel<Values>, static_cast<__half*>(to.data),
         values, first, static_cast<int>(in), static_cast<int>(to.cols), total);
}

}  // namespace

void UnpackRows(cudaStream_t stream, const Tensor& to, const Tensor& x) {
  WithType(x.dtype, [&](auto type) {
    using X = decltype(type);
    Pad(stream, to, ViewValues<X>{ViewOf<const X>(x)}, 0, x.cols);
  });
}

void UnpackWeight(cudaStream_t stream, const Tensor& to, const Weight& weight, int64_t first) {
  if (!HasSource(weight) || to.cols != weight.in)
    return WithWeightValues(weight,
                            [&](auto values) { Pad(stream, to, values, first, weight.in); });
  WithWeightSource(weight, [&](auto source) {
    using Source = decltype(source);
    const int64_t total = to.rows * (weight.in / Source::kPiece);
    Launch(stream, {GridFor(total), dim3(kThreads)}, UnpackKernel<Source>,
           static_cast<__half*>(to.data), source, static_cast<int>(first),
           static_cast<int>(weight.in), total);
  });
}

}  // namespace bagel
