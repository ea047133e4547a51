// Products of few rows: each weight is read once, as it is stored, and that is what takes the time.
#ifndef BAGEL_CUDA_GEMV_H_
#define BAGEL_CUDA_GEMV_H_

#include <span>

#include "cuda/context.h"
#include "tensor/ops.h"

namespace bagel {

// Rows that are multiplied together.
inline constexpr int64_t kGemvRows = 8;

// Whether Gemv takes this: x f16, weight rows of whole blocks.
bool GemvTakes(const Tensor& x, const Weight& weight);
// Whether NormGemv and GatedGemv take these weights of rows x.
bool NormGemvTakes(const Tensor& x, std::span<const Weight* const> weights);

// See CudaLinear::Run; the weight is read once for every kGemvRows rows.
void Gemv(CudaContext& context, const Tensor& y, const Tensor& x, const Weight& weight, bool add,
          float scale);
// At most three products, of at most kGemvRows rows, of RmsNorm(x, norm, eps) whose weights have
// one format and whose results have one type; x f32.
void NormGemv(CudaContext& context, std::span<const Product> products, const Tensor& x,
              const float* norm, float eps);
// y = silu(n gate^T) * (n up^T) * scale, n = RmsNorm(x, norm, eps), in f16.
void GatedGemv(CudaContext& context, const Tensor& y, const Tensor& x, const float* norm, float eps,
               const Weight& gate, const Weight& up, float scale);

}  // namespace bagel

#endif  // BAGEL_CUDA_GEMV_H_
