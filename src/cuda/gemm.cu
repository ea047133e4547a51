#include "cuda/gemm.cuh"
#include "cuda/gemm.h"
#include "cuda/gemm_sources.cuh"

namespace bagel {

bool GemmTakes(const Tensor& x, const Weight& weight) {
  return x.dtype == DType::kF16 && InEights(x) && InChunks(weight);
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

}  // namespace bagel
