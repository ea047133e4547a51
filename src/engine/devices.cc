#include "engine/devices.h"

#include "base/error.h"
#include "cpu/cpu_ops.h"

namespace bagel {

std::unique_ptr<Ops> MakeDevice(const std::string& device, int threads, bool exact) {
  constexpr int kMaxThreads = 1024;
  if (threads < 0 || threads > kMaxThreads)
    throw Error(ErrorKind::kInvalidArgument, "threads is " + std::to_string(threads) +
                                                 ", expected 0 to " + std::to_string(kMaxThreads));
  if (device == "cpu" || device == "auto") return MakeCpuOps({threads, exact});
  if (device == "cuda" || device.starts_with("cuda:"))
    throw Error(ErrorKind::kUnsupported, "device " + device + ": this build has no GPU support");
  throw Error(ErrorKind::kInvalidArgument,
              "device '" + device + "' is not one of cpu, cuda, cuda:N, auto");
}

}  // namespace bagel
