#include "cuda/gemm.cuh"
#include "cuda/gemm.h"
#include "cuda/gemm_sources.cuh"

namespace bagel {
namespace {

// It reads 32 KB from L2 for 2^20 multiply-adds: at the 112 TFLOP/s of a V100 that is 1.7 TB/s of
// the about 2.2 TB/s of its L2. Twice as wide a block, alone on its multiprocessor, was 2 to 6 %
// slower on an H100: while one of two blocks stores, the other multiplies.
using Shape = GemmShape<2, 2, 64, 64, 32, 2>;

}  // namespace

bool GemmTakesRows(const Tensor& x) { return x.dtype == DType::kF16 && InEights(x); }

void DenseGemm(CudaContext& context, const Tensor& y, const Tensor& x, const void* values,
               const float* bias, bool add, float scale) {
  const auto depth = static_cast<int>(x.cols);
  const HalfSource rows{static_cast<const __half*>(x.data), x.stride, static_cast<int>(x.rows),
                        depth};
  const HalfSource weights{static_cast<const __half*>(values), depth, static_cast<int>(y.cols),
                           depth};
  WithType(y.dtype, [&](auto type) {
    const auto result = GemmResultOf<decltype(type)>(y, bias, add, scale);
    LaunchGemm<Shape>(context, result, rows, weights, depth,
                      ShareLastTurn<Shape>(context, y.rows, y.cols, depth));
  });
}

}  // namespace bagel
