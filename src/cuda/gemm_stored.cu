#include "cuda/gemm.cuh"
#include "cuda/gemm.h"
#include "cuda/gemm_sources.cuh"

// Products of so few rows that reading the weight takes the time: it is unpacked on the way into
// shared memory, and where its tiles do not fill the multiprocessors, k is divided as well.
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

}  // namespace

bool StoredGemmTakes(const Weight& weight) { return HasSource(weight); }

void StoredGemm(CudaContext& context, const Tensor& y, const Tensor& x, const Weight& weight,
                bool add, float scale) {
  const HalfSource rows{static_cast<const __half*>(x.data), x.stride, static_cast<int>(x.rows),
                        static_cast<int>(x.cols)};
  WithType(y.dtype, [&](auto type) {
    const auto result = GemmResultOf<decltype(type)>(y, weight.bias, add, scale);
    WithWeightSource(weight, [&](auto source) {
      WithShape(y.rows, [&](auto shape) {
        using Shape = decltype(shape);
        LaunchGemm<Shape>(context, result, rows, source, x.cols,
                          {0, PartsOf<Shape>(context, y.rows, y.cols, x.cols)});
      });
    });
  });
}

}  // namespace bagel
