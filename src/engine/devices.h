// The one place that knows which devices exist.
#ifndef BAGEL_ENGINE_DEVICES_H_
#define BAGEL_ENGINE_DEVICES_H_

#include <memory>
#include <string>

#include "tensor/ops.h"

namespace bagel {

// `device` is "cpu", "auto", "cuda" or "cuda:N". Throws kInvalidArgument for other names and
// kUnsupported for a device that this build does not have.
std::unique_ptr<Ops> MakeDevice(const std::string& device, int threads, bool exact);

}  // namespace bagel

#endif  // BAGEL_ENGINE_DEVICES_H_
