// Launching kernels, and failures that say where they happened.
#ifndef BAGEL_CUDA_LAUNCH_H_
#define BAGEL_CUDA_LAUNCH_H_

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#ifdef BAGEL_CUDART_VERSION
static_assert(CUDART_VERSION == BAGEL_CUDART_VERSION, "CUDA headers of another version");
#endif

namespace bagel {

// What the host asked for last. A kernel's own failure shows up later than that, with the next call
// that waits for it, unless CUDA_LAUNCH_BLOCKING=1 is set.
struct CudaStage {
  const char* op = "start";
  int64_t layer = -1;
};
inline thread_local CudaStage cuda_stage;

// Throws Error: kOutOfMemory where that is what happened, else kInternal, naming the op and layer
// of cuda_stage, file and line.
[[noreturn]] void ThrowCudaError(cudaError_t error, const char* file, int line);

inline void CheckCuda(cudaError_t error, const char* file, int line) {
  if (error != cudaSuccess) ThrowCudaError(error, file, line);
}
#define CUDA_CHECK(expression) ::bagel::CheckCuda((expression), __FILE__, __LINE__)

// The shape of a launch; file and line are those of the caller.
struct LaunchShape {
  dim3 grid;
  dim3 block;
  size_t shared = 0;  // bytes of dynamic shared memory
  bool overlaps =
      false;  // may begin before what was queued before it ends, see cuda/ptx.cuh; sm_90
  const char* file = __builtin_FILE();
  int line = __builtin_LINE();
};

// Queues `kernel` on `stream`. A grid without blocks launches nothing.
template <typename... Parameters, typename... Arguments>
void Launch(cudaStream_t stream, const LaunchShape& shape, void (*kernel)(Parameters...),
            Arguments... arguments) {
  if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return;
  constexpr size_t kUsualShared = 48 << 10;
  if (shape.shared > kUsualShared)
    CheckCuda(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                   cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   static_cast<int>(shape.shared)),
              shape.file, shape.line);
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.shared;
  config.stream = stream;
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  if (shape.overlaps) {
    config.attrs = &overlap;
    config.numAttrs = 1;
  }
  CheckCuda(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), shape.file,
            shape.line);
}

// Blocks of `threads` threads and `shared` bytes of dynamic shared memory that a multiprocessor
// runs at once, at least 1.
template <typename... Parameters>
int BlocksOfMultiprocessor(void (*kernel)(Parameters...), int threads, size_t shared) {
  const auto* function = reinterpret_cast<const void*>(kernel);
  CUDA_CHECK(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(shared)));
  int blocks = 0;
  CUDA_CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, threads, shared));
  return blocks > 0 ? blocks : 1;
}

}  // namespace bagel

#endif  // BAGEL_CUDA_LAUNCH_H_
