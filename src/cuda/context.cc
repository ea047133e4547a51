#include "cuda/context.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "cuda/launch.h"
#include "cuda/roofs.h"

namespace bagel {
namespace {

constexpr int kOldestCapability = 70;

std::string VersionName(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// What CUDA_VISIBLE_DEVICES has to do with a device that was not found.
std::string VisibleDevices() {
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return visible == nullptr ? "" : " with CUDA_VISIBLE_DEVICES=\"" + std::string(visible) + "\"";
}

// Devices that this process may use.
int CountDevices() {
  int driver = 0, runtime = 0, count = 0;
  CUDA_CHECK(cudaRuntimeGetVersion(&runtime));
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
    throw Error(ErrorKind::kUnsupported, "device cuda: no NVIDIA driver is installed");
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver)
    throw Error(ErrorKind::kUnsupported, "device cuda: the NVIDIA driver is for CUDA " +
                                             VersionName(driver) + ", this program needs " +
                                             VersionName(runtime));
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0))
    throw Error(ErrorKind::kNotFound, "device cuda: no GPU was found" + VisibleDevices());
  if (error != cudaSuccess)
    throw Error(ErrorKind::kUnsupported, "device cuda: the NVIDIA driver answers \"" +
                                             std::string(cudaGetErrorString(error)) + "\"" +
                                             VisibleDevices());
  return count;
}

}  // namespace

CudaContext::CudaContext(int index, bool as_volta) : as_volta_(as_volta) {
  const int count = CountDevices();
  if (index < 0 || index >= count)
    throw Error(ErrorKind::kNotFound,
                "device cuda:" + std::to_string(index) + ": there " +
                    (count == 1 ? "is 1 GPU" : "are " + std::to_string(count) + " GPUs") +
                    VisibleDevices() + ", numbered from 0");
  cudaDeviceProp properties{};
  CUDA_CHECK(cudaGetDeviceProperties(&properties, index));
  const int found = 10 * properties.major + properties.minor;
  if (found < kOldestCapability)
    throw Error(ErrorKind::kUnsupported,
                "device cuda:" + std::to_string(index) + ": " + properties.name +
                    " has compute capability " + std::to_string(properties.major) + "." +
                    std::to_string(properties.minor) + ", 7.0 or newer is needed");
  device_name_ = properties.name;
  multiprocessors_ = properties.multiProcessorCount;
  constexpr size_t kVoltaShared = 96 << 10, kCardsOwn = 1 << 10;
  const size_t own = properties.sharedMemPerBlockOptin;
  most_shared_ = (as_volta ? std::min(kVoltaShared, own) : own) - kCardsOwn;
  CUDA_CHECK(cudaSetDevice(index));
  // CUDA holds a stack ready for every thread that the card can run at once, 1 KB each: 277 MB of
  // an H100. A kernel that needs one gets it when it is launched.
  CUDA_CHECK(cudaDeviceSetLimit(cudaLimitStackSize, 0));
  capability_ = as_volta ? kOldestCapability : std::min(found, CompiledCapability());
  CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
}

CudaContext::~CudaContext() {
  // At the end of the process the driver may be gone already; there is nobody left to tell.
  static_cast<void>(cudaStreamDestroy(stream_));
}

std::string CudaContext::Name() const {
  return device_name_ + ", sm_" + std::to_string(capability_);
}

void* CudaContext::Reserve(DeviceBuffer& buffer, size_t bytes) {
  CHECK(!recording_ || bytes <= buffer.bytes());
  const void* before = buffer.data();
  void* memory = buffer.Reserve(bytes);
  if (memory != before) ++moves_;
  return memory;
}

int* CudaContext::Counters(int64_t count) {
  const size_t before = counters_.bytes();
  void* zeros = Reserve(counters_, static_cast<size_t>(count) * sizeof(int));
  if (counters_.bytes() > before) CUDA_CHECK(cudaMemsetAsync(zeros, 0, counters_.bytes(), stream_));
  return static_cast<int*>(zeros);
}

void CudaContext::Wait() {
  CUDA_CHECK(cudaStreamSynchronize(stream_));
  ++waits_;
}

}  // namespace bagel
