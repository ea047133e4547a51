// Products of more rows than a GEMV takes, on tensor cores.
#ifndef BAGEL_CUDA_GEMM_H_
#define BAGEL_CUDA_GEMM_H_

#include "cuda/context.h"
#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace bagel {

// Whether the products below take these rows: f16 in aligned eights.
bool GemmTakesRows(const Tensor& x);

// y = scale * x W^T + bias, or y += that. x f16 [rows, in], W dense f16 [y.cols, in] at
// `values`, a multiple of 16 bytes; the bias may be null.
void DenseGemm(CudaContext& context, const Tensor& y, const Tensor& x, const void* values,
               const float* bias, bool add, float scale);

// Whether StoredGemm takes this weight: pieces of sixteen columns (f16: eight), aligned.
bool StoredGemmTakes(const Weight& weight);
// See CudaLinear::Run. The weight is unpacked once for each 64 rows.
void StoredGemm(CudaContext& context, const Tensor& y, const Tensor& x, const Weight& weight,
                bool add, float scale);

}  // namespace bagel

#endif  // BAGEL_CUDA_GEMM_H_
