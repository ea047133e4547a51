#include <cstdint>

#include "base/error.h"
#include "cuda/launch.h"
#include "cuda/small_copy.h"

namespace bagel {
namespace {

constexpr unsigned kThreads = 256;

__global__ void CopyKernel(uint32_t* to, const uint32_t* from, int words) {
  const int word = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (word < words) to[word] = from[word];
}

}  // namespace

void CudaSmallCopy(cudaStream_t stream, void* device, const void* pinned, size_t bytes) {
  CHECK(bytes <= kSmallCopyBytes && bytes % sizeof(uint32_t) == 0);
  const auto words = static_cast<unsigned>(bytes / sizeof(uint32_t));
  Launch(stream, {dim3((words + kThreads - 1) / kThreads), dim3(kThreads)}, CopyKernel,
         static_cast<uint32_t*>(device), static_cast<const uint32_t*>(pinned),
         static_cast<int>(words));
}

}  // namespace bagel
