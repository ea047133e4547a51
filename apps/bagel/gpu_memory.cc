#include "gpu_memory.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <vector>

namespace bagel {
namespace {

// From nvml.h, the same since CUDA 11.
using Device = void*;
struct Memory {
  unsigned long long total, free, used;  // bytes
};
struct ProcessInfo {
  unsigned pid;
  unsigned long long used;  // bytes; all bits set where it is not known
  unsigned gpu_instance, compute_instance;
};
constexpr int kSuccess = 0;

template <typename Function>
bool Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

struct GpuMemory::Nvml {
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*device)(unsigned, Device*) = nullptr;
  int (*memory)(Device, Memory*) = nullptr;
  int (*processes)(Device, unsigned*, ProcessInfo*) = nullptr;
  std::vector<Device> devices;
  std::vector<uint64_t> used_before;

  bool Open() {
    void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr || !Find(library, "nvmlInit_v2", init) ||
        !Find(library, "nvmlShutdown", shutdown) ||
        !Find(library, "nvmlDeviceGetCount_v2", count) ||
        !Find(library, "nvmlDeviceGetHandleByIndex_v2", device) ||
        !Find(library, "nvmlDeviceGetMemoryInfo", memory) ||
        !Find(library, "nvmlDeviceGetComputeRunningProcesses_v3", processes))
      return false;
    if (init() != kSuccess) return false;
    unsigned found = 0;
    if (count(&found) != kSuccess) found = 0;
    for (unsigned i = 0; i < found; ++i) {
      Device handle = nullptr;
      if (device(i, &handle) != kSuccess) continue;
      devices.push_back(handle);
      used_before.push_back(UsedOf(handle));
    }
    return true;
  }

  uint64_t UsedOf(Device handle) const {
    Memory found{};
    return memory(handle, &found) == kSuccess ? found.used : 0;
  }

  // What this process has on a device; 0 where NVML does not say.
  uint64_t OwnOn(Device handle) const {
    constexpr unsigned kMost = 256;
    std::vector<ProcessInfo> running(kMost);
    unsigned found = kMost;
    if (processes(handle, &found, running.data()) != kSuccess) return 0;
    for (unsigned i = 0; i < found; ++i)
      if (running[i].pid == static_cast<unsigned>(getpid()) && running[i].used != ~0ull)
        return running[i].used;
    return 0;
  }
};

GpuMemory::GpuMemory() {
  auto nvml = std::make_unique<Nvml>();
  if (nvml->Open()) nvml_ = std::move(nvml);
}

GpuMemory::~GpuMemory() {
  if (nvml_) nvml_->shutdown();
}

std::optional<uint64_t> GpuMemory::UsedBytes() const {
  if (!nvml_ || nvml_->devices.empty()) return std::nullopt;
  uint64_t most = 0;
  for (size_t i = 0; i < nvml_->devices.size(); ++i) {
    uint64_t used = nvml_->OwnOn(nvml_->devices[i]);
    if (used == 0) {
      const uint64_t now = nvml_->UsedOf(nvml_->devices[i]);
      used = now - std::min(now, nvml_->used_before[i]);
    }
    most = std::max(most, used);
  }
  return most;
}

std::optional<uint64_t> GpuMemory::PeakOf(const std::function<void()>& body) const {
  constexpr std::chrono::milliseconds kInterval(10);
  std::optional<uint64_t> peak = UsedBytes();
  std::atomic<bool> done{false};
  std::thread sampler([&] {
    while (peak && !done) {
      peak = std::max(peak, UsedBytes());
      std::this_thread::sleep_for(kInterval);
    }
  });
  std::exception_ptr failure;
  try {
    body();
  } catch (...) {
    failure = std::current_exception();
  }
  done = true;
  sampler.join();
  if (failure) std::rethrow_exception(failure);
  return std::max(peak, UsedBytes());
}

}  // namespace bagel
