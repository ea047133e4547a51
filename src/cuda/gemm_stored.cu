#include "cuda/gemm.cuh"
#include "cuda/gemm.h"
#include "cuda/gemm_sources.cuh"

// Products of so few rows that reading the weight takes the time: it is unpacked on the way into
// shared memory, and where its tiles do not fill the multiprocessors, k is divided as well and a
// second kernel adds the parts, always in the same order.
namespace bagel {
namespace {

using SixteenRows = GemmShape<1, 4, 16, 32, 64, 3>;
using ThirtyTwoRows = GemmShape<1, 4, 32, 32, 64, 3>;
using SixtyFourRows = GemmShape<2, 4, 32, 32, 64, 2>;

// Calls body with a value of the shape for so many rows.
template <typename Body>
auto WithShape(int64_t rows, const Body& body) {
  if (rows <= SixteenRows::kRows) return body(SixteenRows{});
  if (rows <= ThirtyTwoRows::kRows) return body(ThirtyTwoRows{});
  return body(SixtyFourRows{});
}

// Parts of k: as many as make two turns' worth of blocks, none of fewer than kFewSteps steps.
template <typename Shape>
int64_t PartsOf(const CudaContext& context, int64_t rows, int64_t out, int64_t in) {
  constexpr int64_t kFewSteps = 4;
  const int64_t steps = (in + Shape::kDepth - 1) / Shape::kDepth;
  const int64_t wanted = int64_t{2} * context.multiprocessors() * Shape::kBlocks;
  return std::max<int64_t>(1,
                           std::min(wanted / gemm::GemmTiles<Shape>(rows, out), steps / kFewSteps));
}

template <typename Y>
__global__ void AddPartsKernel(GemmResult<Y> result, const float* __restrict__ values, int parts) {
  const int64_t all = static_cast<int64_t>(result.rows) * result.cols;
  const int64_t index = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (index >= all) return;
  float sum = 0;
  for (int part = 0; part < parts; ++part) sum += values[part * all + index];
  const auto col = static_cast<int>(index % result.cols);
  sum = sum * result.scale + (result.bias != nullptr ? result.bias[col] : 0.0f);
  Y* to = result.y.At(index / result.cols, col);
  *to = FromFloat<Y>(result.add ? ToFloat(*to) + sum : sum);
}

template <typename Shape, typename Y, typename Source>
void RunStored(const CudaContext& context, const GemmResult<Y>& result, const HalfSource& x,
               const Source& source, float* scratch) {
  constexpr unsigned kThreads = 256;
  const int64_t depth = x.cols, rows = result.rows, cols = result.cols;
  const int64_t parts = PartsOf<Shape>(context, rows, cols, depth);
  if (parts == 1) {
    LaunchGemm<Shape>(context.stream(), result, x, source, depth);
    return;
  }
  const GemmResult<float> sums{{scratch, cols}, nullptr,      result.rows, result.cols, 1.0f,
                               false,           cols % 8 == 0};
  const int64_t made = LaunchGemm<Shape>(context.stream(), sums, x, source, depth, parts);
  const dim3 grid(static_cast<unsigned>((rows * cols + kThreads - 1) / kThreads));
  Launch(context.stream(), {grid, dim3(kThreads)}, AddPartsKernel<Y>, result,
         static_cast<const float*>(scratch), static_cast<int>(made));
}

}  // namespace

bool StoredGemmTakes(const Weight& weight) { return HasSource(weight); }

size_t StoredGemmScratch(const CudaContext& context, int64_t rows, const Weight& weight) {
  return WithShape(rows, [&](auto shape) {
    const int64_t parts = PartsOf<decltype(shape)>(context, rows, weight.out, weight.in);
    return parts == 1 ? 0 : static_cast<size_t>(parts * rows * weight.out) * sizeof(float);
  });
}

void StoredGemm(const CudaContext& context, const Tensor& y, const Tensor& x, const Weight& weight,
                bool add, float scale, void* scratch) {
  const HalfSource rows{static_cast<const __half*>(x.data), x.stride, static_cast<int>(x.rows),
                        static_cast<int>(x.cols)};
  WithType(y.dtype, [&](auto type) {
    const auto result = GemmResultOf<decltype(type)>(y, weight.bias, add, scale);
    WithWeightSource(weight, [&](auto source) {
      WithShape(y.rows, [&](auto shape) {
        RunStored<decltype(shape)>(context, result, rows, source, static_cast<float*>(scratch));
      });
    });
  });
}

}  // namespace bagel
