// What the card can do at best, measured.
#ifndef BAGEL_CUDA_ROOFS_H_
#define BAGEL_CUDA_ROOFS_H_

#include "cuda/context.h"
#include "tensor/ops.h"

namespace bagel {

// Reads up to 1 GiB, and multiplies 8192 x 8192 matrices of f16 through cuBLAS where there is one,
// whatever the profile, else by this room's own kernel; the best of several rounds each.
Roofs MeasureCudaRoofs(CudaContext& context);

// The compute capability, 10 * major + minor, for which the code that the current device runs was
// compiled: less than the device's where the driver translates it.
int CompiledCapability();

}  // namespace bagel

#endif  // BAGEL_CUDA_ROOFS_H_
