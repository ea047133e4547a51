// How much of a GPU's memory a piece of work takes, as nvidia-smi would show it.
#ifndef BAGEL_APPS_BAGEL_GPU_MEMORY_H_
#define BAGEL_APPS_BAGEL_GPU_MEMORY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace bagel {

// Reads NVML (libnvidia-ml), which is loaded when the program runs: this process's share where
// NVML knows it, else what is in use now beyond what was when the meter was made. CUDA's own memory
// is in it. Thread-safe.
class GpuMemory {
 public:
  GpuMemory();
  ~GpuMemory();
  GpuMemory(const GpuMemory&) = delete;
  GpuMemory& operator=(const GpuMemory&) = delete;

  // Bytes now, of the GPU where they are most; nothing where there is no NVML or no GPU.
  std::optional<uint64_t> UsedBytes() const;
  // The largest of what UsedBytes finds, again and again, while `body` runs.
  std::optional<uint64_t> PeakOf(const std::function<void()>& body) const;

 private:
  struct Nvml;
  std::unique_ptr<Nvml> nvml_;  // null: nothing is known
};

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_GPU_MEMORY_H_
