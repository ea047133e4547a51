// What the program finds in libbagel_cuda.so, see tensor/device_plugin.h.
#include "cuda/cuda_ops.h"
#include "tensor/device_plugin.h"

extern "C" __attribute__((visibility("default"))) bagel::Ops* BAGEL_MAKE_DEVICE(
    const bagel::DevicePluginOptions& options) {
  return bagel::MakeCudaOps(options).release();
}
