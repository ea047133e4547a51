#include "cuda/gemm.cuh"
#include "cuda/gemm.h"
#include "cuda/gemm_sources.cuh"

namespace bagel {
namespace {

// The large one reads 24 KB from L2 for 2^20 multiply-adds, the small one 32 KB: at the 112 TFLOP/s
// of a V100 that is 1.3 and 1.7 TB/s of the about 2.2 TB/s of its L2.
using LargeShape = GemmShape<2, 4, 64, 64, 32, 1>;
using SmallShape = GemmShape<2, 2, 64, 64, 32, 2>;
// So much busier the small one keeps the multiprocessors where it is taken.
constexpr double kMuchBusier = 1.15;

// The share of the multiprocessors that work, over all turns.
template <typename Shape>
double Busy(const CudaContext& context, const Tensor& y) {
  const int64_t tiles = gemm::GemmTiles<Shape>(y.rows, y.cols);
  const int64_t at_once = int64_t{context.multiprocessors()} * Shape::kBlocks;
  const int64_t turns = (tiles + at_once - 1) / at_once;
  return static_cast<double>(y.rows * y.cols) /
         static_cast<double>(turns * at_once * Shape::kRows * Shape::kCols);
}

}  // namespace

bool GemmTakesRows(const Tensor& x) { return x.dtype == DType::kF16 && InEights(x); }

void DenseGemm(const CudaContext& context, const Tensor& y, const Tensor& x, const void* values,
               const float* bias, bool add, float scale) {
  const auto depth = static_cast<int>(x.cols);
  const HalfSource rows{static_cast<const __half*>(x.data), x.stride, static_cast<int>(x.rows),
                        depth};
  const HalfSource weights{static_cast<const __half*>(values), depth, static_cast<int>(y.cols),
                           depth};
  WithType(y.dtype, [&](auto type) {
    const auto result = GemmResultOf<decltype(type)>(y, bias, add, scale);
    if (kMuchBusier * Busy<LargeShape>(context, y) >= Busy<SmallShape>(context, y))
      LaunchGemm<LargeShape>(context.stream(), result, rows, weights, depth);
    else
      LaunchGemm<SmallShape>(context.stream(), result, rows, weights, depth);
  });
}

}  // namespace bagel
