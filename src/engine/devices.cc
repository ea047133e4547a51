#include "engine/devices.h"

#include <charconv>
#include <cstdio>

#include "base/error.h"
#include "cpu/cpu_ops.h"
#include "engine/plugin.h"

namespace bagel {
namespace {

constexpr const char* kCuda = "cuda";

// The N of "cuda:N".
int DeviceIndex(const std::string& device) {
  int index = 0;
  const char* begin = device.data() + std::string(kCuda).size() + 1;
  const char* end = device.data() + device.size();
  const auto [stop, error] = std::from_chars(begin, end, index);
  if (error != std::errc() || stop != end || index < 0)
    throw Error(ErrorKind::kInvalidArgument,
                "device '" + device + "' is not cuda:N with a number N");
  return index;
}

}  // namespace

std::unique_ptr<Ops> MakeDevice(const std::string& device, int threads, bool exact,
                                const std::string& gpu_profile, const std::string& kv_cache) {
  constexpr int kMaxThreads = 1024;
  if (threads < 0 || threads > kMaxThreads)
    throw Error(ErrorKind::kInvalidArgument, "threads is " + std::to_string(threads) +
                                                 ", expected 0 to " + std::to_string(kMaxThreads));
  if (gpu_profile != "auto" && gpu_profile != "sm_70")
    throw Error(ErrorKind::kInvalidArgument,
                "GPU profile '" + gpu_profile + "' is not one of auto, sm_70");
  if (kv_cache != "auto" && kv_cache != "f16" && kv_cache != "int8")
    throw Error(ErrorKind::kInvalidArgument,
                "cache '" + kv_cache + "' of keys and values is not one of auto, f16, int8");
  const CpuOptions cpu{threads, exact, kv_cache == "int8"};
  DevicePluginOptions options;
  options.oldest_profile = gpu_profile == "sm_70";
  options.int8_cache = cpu.int8_cache;
  const auto make_cpu = [&] {
    std::unique_ptr<Ops> ops = MakeCpuOps(cpu);
    if (kv_cache == "f16")
      throw Error(ErrorKind::kUnsupported,
                  "keys and values in f16 are kept on GPUs alone, the CPU would keep " +
                      std::string(DTypeName(ops->KvType())) + "; expected auto or int8");
    return ops;
  };
  if (device == "cpu") return make_cpu();
  if (device == kCuda) return MakePluginDevice(kCuda, options);
  if (device.starts_with(std::string(kCuda) + ":")) {
    options.index = DeviceIndex(device);
    return MakePluginDevice(kCuda, options);
  }
  if (device != "auto")
    throw Error(ErrorKind::kInvalidArgument,
                "device '" + device + "' is not one of cpu, cuda, cuda:N, auto");
  if (HasPlugin(kCuda) && !exact) {
    try {
      return MakePluginDevice(kCuda, options);
    } catch (const Error& error) {
      std::fprintf(stderr, "%s: going on with the CPU\n", error.what());
    }
  }
  return make_cpu();
}

}  // namespace bagel
