// CUDA on the CPU, as much of it as this room uses, so that its kernels are tested on machines
// without a GPU: every thread of a block is a fiber that runs until it waits for others. Threads
// that run ahead as far as they may show missing barriers; memory ends in pages that nobody may
// touch; shared memory holds NaN before it is written.
#ifndef BAGEL_CUDA_EMULATION_CUDA_RUNTIME_H_
#define BAGEL_CUDA_EMULATION_CUDA_RUNTIME_H_

// The names are CUDA's.
// NOLINTBEGIN

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ static thread_local
#define __launch_bounds__(...)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct uint3 {
  unsigned x, y, z;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }

namespace emulation {

// The running fiber's number in its block.
unsigned Self();
void SyncThreads();
// Waits for all lanes in `mask`.
void SyncWarp(unsigned mask);
// Lanes hand values to one another through 64 bytes each, which hold until the exchange after the
// next: the slot of `lane` in the exchange that the running fiber's next SyncWarp ends.
unsigned NextExchange();
void* WarpSlot(unsigned exchange, unsigned lane);
unsigned char* DynamicShared();
// Waits until `value` is another than `old`.
void WaitWhile(const unsigned& value, unsigned old);
// Barriers by number, which `threads` must reach; who does not `wait` goes on.
void SyncNamed(int number, int threads, bool wait);
// Copies that a thread has asked for and not waited for.
void CopyLater(void* to, const void* from, size_t bytes);  // from == nullptr: zeros
void CommitCopies();
void WaitForCopies(int groups_left);

void Run(dim3 grid, dim3 block, size_t shared, const std::function<void()>& kernel);

template <typename T>
T Exchange(T value, unsigned mask, unsigned from) {
  static_assert(sizeof(T) <= 64);
  const unsigned lane = Self() % 32;
  const unsigned next = NextExchange();
  std::memcpy(WarpSlot(next, lane), &value, sizeof(T));
  SyncWarp(mask);
  T result;
  std::memcpy(&result, WarpSlot(next, from % 32), sizeof(T));
  return result;
}

}  // namespace emulation

// Of the running fiber.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

inline void __syncthreads() { emulation::SyncThreads(); }
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) { emulation::SyncWarp(mask); }
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int offset, int = 32) {
  return emulation::Exchange(value, mask, emulation::Self() % 32 ^ static_cast<unsigned>(offset));
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  const unsigned self = emulation::Self() % 32, size = static_cast<unsigned>(width);
  return emulation::Exchange(value, mask, self / size * size + static_cast<unsigned>(lane) % size);
}
inline int __any_sync(unsigned mask, int predicate) {
  int any = predicate != 0;
  for (int offset = 16; offset > 0; offset /= 2) any |= __shfl_xor_sync(mask, any, offset);
  return any;
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  unsigned ballot = predicate != 0 ? 1u << emulation::Self() % 32 : 0;
  for (int offset = 16; offset > 0; offset /= 2) ballot |= __shfl_xor_sync(mask, ballot, offset);
  return ballot;
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned offset, int width = 32) {
  const unsigned self = emulation::Self() % 32, size = static_cast<unsigned>(width);
  const unsigned from = self % size + offset < size ? self + offset : self;
  return emulation::Exchange(value, mask, from);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned offset, int width = 32) {
  const unsigned self = emulation::Self() % 32, size = static_cast<unsigned>(width);
  const unsigned from = self % size >= offset ? self - offset : self;
  return emulation::Exchange(value, mask, from);
}

inline int __popc(unsigned bits) { return std::popcount(bits); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
template <typename T>
T __ldg(const T* p) {
  return *p;
}
template <typename T>
T __ldcs(const T* p) {
  return *p;
}
template <typename T>
T __ldcg(const T* p) {
  return *p;
}
inline void __threadfence() {}
template <typename T>
T atomicAdd(T* p, T value) {
  const T old = *p;
  *p = old + value;
  return old;
}
inline unsigned atomicInc(unsigned* p, unsigned most) {
  const unsigned old = *p;
  *p = old >= most ? 0 : old + 1;
  return old;
}
inline int atomicMax(int* p, int value) {
  const int old = *p;
  *p = std::max(old, value);
  return old;
}
inline unsigned atomicMax(unsigned* p, unsigned value) {
  const unsigned old = *p;
  *p = std::max(old, value);
  return old;
}
inline int __dp4a(int a, int b, int c) {
  for (int i = 0; i < 4; ++i)
    c += static_cast<int8_t>(a >> (8 * i)) * static_cast<int8_t>(b >> (8 * i));
  return c;
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  const uint64_t both = uint64_t{b} << 32 | a;
  unsigned result = 0;
  for (int i = 0; i < 4; ++i) {
    const unsigned nibble = selector >> (4 * i) & 15u;
    unsigned byte = static_cast<unsigned>(both >> (8 * (nibble & 7u))) & 255u;
    if (nibble & 8u) byte = byte & 128u ? 255u : 0u;
    result |= byte << (8 * i);
  }
  return result;
}
using std::max;
using std::min;

// ---- The runtime's functions ----

using cudaStream_t = struct EmulatedStream*;
using cudaEvent_t = struct EmulatedEvent*;
using cudaGraph_t = struct EmulatedGraph*;
using cudaGraphExec_t = struct EmulatedGraph*;
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidValue = 1,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaMemoryType { cudaMemoryTypeUnregistered, cudaMemoryTypeHost, cudaMemoryTypeDevice };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal };
enum cudaLimit { cudaLimitStackSize };
constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, cudaEventDefault = 0;
struct cudaPointerAttributes {
  cudaMemoryType type;
};
struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount;
  size_t totalGlobalMem;
  size_t sharedMemPerBlockOptin;
};
enum cudaLaunchAttributeID { cudaLaunchAttributeProgrammaticStreamSerialization };
struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  struct {
    int programmaticStreamSerializationAllowed;
  } val;
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
  cudaLaunchAttribute* attrs = nullptr;
  unsigned numAttrs = 0;
};

const char* cudaGetErrorString(cudaError_t error);
const char* cudaGetErrorName(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDeviceSetLimit(cudaLimit limit, size_t value);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total);
cudaError_t cudaMalloc(void** data, size_t bytes);
cudaError_t cudaFree(void* data);
cudaError_t cudaMallocHost(void** data, size_t bytes);
cudaError_t cudaFreeHost(void* data);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* data);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end);
struct cudaFuncAttributes {
  int ptxVersion;
};
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel);
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* kernel,
                                                          int threads, size_t shared);
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph,
                                 unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);

#define CUDART_VERSION 12050  // since when there is what follows
// Finds "cuTensorMapEncodeTiled", for f16 in two dimensions.
enum cudaDriverEntryPointQueryResult { cudaDriverEntryPointSuccess };
constexpr unsigned long long cudaEnableDefault = 0;
cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned version,
                                             unsigned long long flags,
                                             cudaDriverEntryPointQueryResult* result);

namespace emulation {
// What is in a tensor map.
struct Map {
  const char* address;
  size_t stride;  // bytes from row to row
  unsigned box[2];
};

// Runs it, or adds it to what the stream records.
cudaError_t Queue(cudaStream_t stream, std::function<void()> work);
cudaError_t CheckLaunch(const cudaLaunchConfig_t& config);
}  // namespace emulation

template <typename... Parameters>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               std::type_identity_t<Parameters>... arguments) {
  const cudaError_t error = emulation::CheckLaunch(*config);
  if (error != cudaSuccess) return error;
  return emulation::Queue(config->stream, [shape = *config, kernel, arguments...] {
    emulation::Run(shape.gridDim, shape.blockDim, shape.dynamicSmemBytes,
                   [&] { kernel(arguments...); });
  });
}

// NOLINTEND

#endif  // BAGEL_CUDA_EMULATION_CUDA_RUNTIME_H_
