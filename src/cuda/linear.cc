#include "cuda/linear.h"

#include "cuda/gemm.h"
#include "cuda/gemv.h"
#include "cuda/linear_plain.h"
#include "cuda/row_ops.h"

namespace bagel {
namespace {

// x as dense f16: itself or a copy in scratch memory.
Tensor AsF16(CudaContext& context, const Tensor& x) {
  if (x.dtype == DType::kF16) return x;
  const auto bytes = static_cast<size_t>(x.rows * x.cols) * sizeof(uint16_t);
  const Tensor copy{context.Scratch(bytes), DType::kF16, x.rows, x.cols, x.cols};
  CudaBlend(context.stream(), copy, x, 0.0f, 1.0f);
  return copy;
}

}  // namespace

void CudaLinear::Run(const Tensor& y, const Tensor& x, const Weight& weight, bool add,
                     float scale) {
  const Tensor input = AsF16(context_, x);
  if (GemvTakes(input, weight)) return Gemv(context_, y, input, weight, add, scale);
  if (GemmTakes(input, weight)) return Gemm(context_.stream(), y, input, weight, add, scale);
  LinearPlain(context_.stream(), y, x, weight, add, scale);
}

}  // namespace bagel
