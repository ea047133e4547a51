// How a device comes from a library that is loaded when it is asked for, so that a program without
// that library, or a machine without the device, loses nothing.
#ifndef BAGEL_TENSOR_DEVICE_PLUGIN_H_
#define BAGEL_TENSOR_DEVICE_PLUGIN_H_

#include "tensor/ops.h"

namespace bagel {

struct DevicePluginOptions {
  int index = 0;                // which of the devices
  bool oldest_profile = false;  // takes the code of the oldest supported device, whatever it finds
  bool int8_cache = false;      // keys and values in kI8
};

// The library's one function. The caller owns what it returns; throws Error where the device cannot
// be used. Its name holds the version of this contract, ops.h included: a library of another build
// does not have it.
using MakeDeviceFunction = Ops* (*)(const DevicePluginOptions& options);
// BAGEL_INTERFACE, given by CMake to the two files that use the name, is a hash of the headers of
// this contract.
#define BAGEL_JOINED_(a, b) a##b
#define BAGEL_JOINED(a, b) BAGEL_JOINED_(a, b)
#define BAGEL_MAKE_DEVICE BAGEL_JOINED(bagel_make_device_, BAGEL_INTERFACE)

}  // namespace bagel

#endif  // BAGEL_TENSOR_DEVICE_PLUGIN_H_
