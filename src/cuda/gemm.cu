#include "cuda/gemm.cuh"
#include "cuda/gemm.h"
#include "cuda/gemm_sources.cuh"

namespace bagel {
namespace {

constexpr unsigned kUnpackThreads = 256;

// Sixteen values a thread.
template <typename Source>
__global__ void UnpackKernel(__half* values, Source source, int first, int in, int64_t total) {
  source.Prepare();
  __syncthreads();
  const int64_t index = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (index >= total) return;
  const int parts = (in + 15) / 16;
  const auto row = static_cast<int>(index / parts), column = static_cast<int>(index % parts) * 16;
  uint4 halves[2];
  source.Unpack(source.Fetch(first + row, column), halves);
  auto* to = reinterpret_cast<uint4*>(values + static_cast<int64_t>(row) * in + column);
  to[0] = halves[0];
  if (column + 8 < in) to[1] = halves[1];
}

}  // namespace

bool GemmTakes(const Tensor& x, const Weight& weight) {
  const int64_t step = weight.format == WeightFormat::kF16 ? 8 : 16;
  return x.dtype == DType::kF16 && InEights(x) && weight.in % step == 0 &&
         reinterpret_cast<uintptr_t>(weight.data) % 16 == 0;
}

void Gemm(cudaStream_t stream, const Tensor& y, const Tensor& x, const Weight& weight, bool add,
          float scale) {
  const HalfSource rows{static_cast<const __half*>(x.data), x.stride, static_cast<int>(x.rows),
                        static_cast<int>(x.cols)};
  WithType(y.dtype, [&](auto type) {
    using Y = decltype(type);
    const GemmResult<Y> result{
        ViewOf<Y>(y), weight.bias, static_cast<int>(y.rows), static_cast<int>(y.cols), scale, add};
    WithWeightSource(weight,
                     [&](auto source) { LaunchGemm(stream, result, rows, source, weight.in); });
  });
}

void UnpackWeight(cudaStream_t stream, void* values, const Weight& weight, int64_t first,
                  int64_t count) {
  const int64_t total = count * ((weight.in + 15) / 16);
  WithWeightSource(weight, [&](auto source) {
    const dim3 grid(static_cast<unsigned>((total + kUnpackThreads - 1) / kUnpackThreads));
    Launch(stream, {grid, dim3(kUnpackThreads)}, UnpackKernel<decltype(source)>,
           static_cast<__half*>(values), source, static_cast<int>(first),
           static_cast<int>(weight.in), total);
  });
}

}  // namespace bagel
