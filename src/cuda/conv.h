// The autoencoder's 3x3 convolutions, see Ops::Conv2d.
#ifndef BAGEL_CUDA_CONV_H_
#define BAGEL_CUDA_CONV_H_

#include "cuda/context.h"
#include "tensor/conv.h"
#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace bagel {

class CudaConv {
 public:
  explicit CudaConv(CudaContext& context) : context_(context) {}

  // y = W * act(x) + bias, or y += that; x and y f32 or f16, factors f32, the weight f16.
  void Run(const Tensor& y, const Tensor& x, const Weight& weight, const ConvGeometry& geometry,
           const Tensor& factors, bool add);

 private:
  // As a product, of a band of rows at a time: the input activated as f16, then its patches.
  void RunBands(const Tensor& y, const Tensor& x, const Weight& weight,
                const ConvGeometry& geometry, const Tensor& factors, bool add);

  CudaContext& context_;
};

}  // namespace bagel

#endif  // BAGEL_CUDA_CONV_H_
