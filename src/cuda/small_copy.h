// Small copies from pinned host memory, which a kernel reads by itself: that of a few kilobytes is
// done before a copy engine would have begun.
#ifndef BAGEL_CUDA_SMALL_COPY_H_
#define BAGEL_CUDA_SMALL_COPY_H_

#include <cuda_runtime.h>

#include <cstddef>

namespace bagel {

// Bytes up to which a kernel should read pinned memory by itself.
inline constexpr size_t kSmallCopyBytes = size_t{128} << 10;

// Queues a copy of at most kSmallCopyBytes bytes, a multiple of 4, as all addresses are.
void CudaSmallCopy(cudaStream_t stream, void* device, const void* pinned, size_t bytes);

}  // namespace bagel

#endif  // BAGEL_CUDA_SMALL_COPY_H_
