// Products of few rows: each weight is read once, as it is stored, and that is what takes the time.
#ifndef BAGEL_CUDA_GEMV_H_
#define BAGEL_CUDA_GEMV_H_

#include "cuda/context.h"
#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace bagel {

inline constexpr int64_t kMaxGemvRows = 8;

// Whether Gemv takes this: rows of whole blocks, x f16.
bool GemvTakes(const Tensor& x, const Weight& weight);

// See CudaLinear::Run.
void Gemv(const CudaContext& context, const Tensor& y, const Tensor& x, const Weight& weight,
          bool add, float scale);

}  // namespace bagel

#endif  // BAGEL_CUDA_GEMV_H_
