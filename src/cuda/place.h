// Weights on their way to the GPU.
#ifndef BAGEL_CUDA_PLACE_H_
#define BAGEL_CUDA_PLACE_H_

#include <string>

#include "cuda/context.h"
#include "cuda/upload.h"
#include "tensor/weight.h"
#include "tensor/weight_memory.h"

namespace bagel {

// A copy of `host` in `memory`, in a format that kernels read: f32, bf16 and magnitudes of NF4
// become f16, see PlacedBytes. The bias is the caller's. Throws kUnsupported naming the tensor
// `name` for a value beyond f16, or kOutOfMemory.
Weight PlaceWeight(CudaContext& context, Uploader& uploader, const Weight& host,
                   const std::string& name, WeightMemory& memory);

}  // namespace bagel

#endif  // BAGEL_CUDA_PLACE_H_
