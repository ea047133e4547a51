// The GPU: all of Ops on one NVIDIA device, f16 between ops with f32 sums, an f32 residual stream.
#ifndef BAGEL_CUDA_CUDA_OPS_H_
#define BAGEL_CUDA_CUDA_OPS_H_

#include <memory>

#include "tensor/device_plugin.h"
#include "tensor/ops.h"

namespace bagel {

// Throws as CudaContext does.
std::unique_ptr<Ops> MakeCudaOps(const DevicePluginOptions& options);

}  // namespace bagel

#endif  // BAGEL_CUDA_CUDA_OPS_H_
