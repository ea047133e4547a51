// Weights on their way to the GPU.
#ifndef BAGEL_CUDA_PLACE_H_
#define BAGEL_CUDA_PLACE_H_

#include <string>
#include <vector>

#include "cuda/context.h"
#include "cuda/upload.h"
#include "tensor/weight.h"

namespace bagel {

// A copy of `host` in a format that kernels read: f32 and bf16 become f16, magnitudes of NF4 f32.
// The bias is the caller's. Adds what it allocates to `owned`. Throws kUnsupported naming the
// tensor `name` for a value beyond f16, or kOutOfMemory.
Weight PlaceWeight(CudaContext& context, Uploader& uploader, const Weight& host,
                   const std::string& name, std::vector<void*>& owned);

}  // namespace bagel

#endif  // BAGEL_CUDA_PLACE_H_
