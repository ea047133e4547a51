#include "cuda/device_buffer.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/error.h"
#include "cuda/launch.h"

namespace bagel {
namespace {

// Behind what was asked for, so that vector loads may pass the end of a row.
constexpr size_t kPadding = 256;

std::string Megabytes(size_t bytes) { return std::to_string((bytes >> 20) + 1) + " MB"; }

}  // namespace

[[noreturn]] void ThrowCudaError(cudaError_t error, const char* file, int line) {
  static_cast<void>(cudaGetLastError());  // the next call starts afresh, if the device still can
  const char* name = std::strstr(file, "src/cuda/");
  std::string where = std::string("op ") + cuda_stage.op;
  if (cuda_stage.layer >= 0) where += " of layer " + std::to_string(cuda_stage.layer);
  where += std::string(", ") + (name != nullptr ? name : file) + ":" + std::to_string(line);
  throw Error(error == cudaErrorMemoryAllocation ? ErrorKind::kOutOfMemory : ErrorKind::kInternal,
              "CUDA: " + std::string(cudaGetErrorString(error)) + " (" + cudaGetErrorName(error) +
                  ") in " + where);
}

void* AllocateOnDevice(size_t bytes) {
  void* data = nullptr;
  const cudaError_t error = cudaMalloc(&data, bytes + kPadding);
  if (error == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    size_t free_bytes = 0, total = 0;
    CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total));
    throw Error(ErrorKind::kOutOfMemory, "the GPU has " + Megabytes(free_bytes) + " of " +
                                             Megabytes(total) + " free, " + Megabytes(bytes) +
                                             " are needed");
  }
  CUDA_CHECK(error);
  return data;
}

void* AllocatePinned(size_t bytes) {
  void* data = nullptr;
  const cudaError_t error = cudaMallocHost(&data, bytes);
  if (error == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    throw Error(ErrorKind::kOutOfMemory, "the host cannot give " + Megabytes(bytes) +
                                             " of pinned memory for the GPU to read");
  }
  CUDA_CHECK(error);
  return data;
}

DeviceBuffer::~DeviceBuffer() { static_cast<void>(cudaFree(data_)); }

void* DeviceBuffer::Reserve(size_t bytes) {
  if (bytes <= bytes_) return data_;
  CUDA_CHECK(cudaDeviceSynchronize());
  CUDA_CHECK(cudaFree(data_));
  data_ = nullptr;
  bytes_ = 0;
  data_ = AllocateOnDevice(bytes);
  bytes_ = bytes;
  return data_;
}

PinnedBuffer::~PinnedBuffer() { static_cast<void>(cudaFreeHost(data_)); }

void* PinnedBuffer::Reserve(size_t bytes) {
  if (bytes <= bytes_) return data_;
  CUDA_CHECK(cudaDeviceSynchronize());
  CUDA_CHECK(cudaFreeHost(data_));
  data_ = nullptr;
  bytes_ = 0;
  data_ = AllocatePinned(bytes);
  bytes_ = bytes;
  return data_;
}

}  // namespace bagel
