// The 3x3 convolution of RefOps.
#ifndef BAGEL_REF_REF_CONV_H_
#define BAGEL_REF_REF_CONV_H_

#include "tensor/conv.h"
#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace bagel {

// Ops::Conv2d and, with `add`, Ops::Conv2dAdd.
void RefConv2d(const Tensor& y, const Tensor& x, const Weight& weight, const ConvGeometry& geometry,
               const Tensor& factors, bool add);

}  // namespace bagel

#endif  // BAGEL_REF_REF_CONV_H_
