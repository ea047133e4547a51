// Owned memory of the device.
#ifndef BAGEL_CUDA_DEVICE_BUFFER_H_
#define BAGEL_CUDA_DEVICE_BUFFER_H_

#include <cstddef>

namespace bagel {

// Memory of the current device that only grows. What lay in it is lost when it does.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  ~DeviceBuffer();
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  // At least `bytes`, 256-byte aligned. Throws kOutOfMemory with the sizes; waits for the device
  // where it has to grow.
  void* Reserve(size_t bytes);
  size_t bytes() const { return bytes_; }
  const void* data() const { return data_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

// Pinned host memory of the same kind, from which the device copies by itself.
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  ~PinnedBuffer();
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  void* Reserve(size_t bytes);

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

// Throws kOutOfMemory with the size and what is free. 256-byte aligned.
void* AllocateOnDevice(size_t bytes);
// Pinned memory of the host, for cudaFreeHost. Throws kOutOfMemory with the size.
void* AllocatePinned(size_t bytes);

}  // namespace bagel

#endif  // BAGEL_CUDA_DEVICE_BUFFER_H_
