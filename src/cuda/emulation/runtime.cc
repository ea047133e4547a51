#include <cuda_runtime.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <set>
#include <vector>

#include "threads.h"

struct EmulatedGraph {
  std::vector<std::function<void()>> work;
};
struct EmulatedStream {
  EmulatedGraph* recording = nullptr;
  bool lags = false;  // what is queued runs when somebody waits for it
  std::vector<std::function<void()>> late;
};
struct EmulatedEvent {
  EmulatedStream* stream = nullptr;  // on which it was recorded last
};

namespace emulation {

cudaError_t Queue(cudaStream_t stream, std::function<void()> work) {
  if (stream->recording != nullptr)
    stream->recording->work.push_back(std::move(work));
  else if (stream->lags)
    stream->late.push_back(std::move(work));
  else
    work();
  return cudaSuccess;
}

int EncodeMap(void* map, int, unsigned, void* address, const uint64_t*, const uint64_t* strides,
              const uint32_t* box, const uint32_t*, int, int, int, int) {
  if (reinterpret_cast<uintptr_t>(map) % 64 != 0 || reinterpret_cast<uintptr_t>(address) % 16 != 0)
    return cudaErrorInvalidValue;
  *static_cast<Map*>(map) = {static_cast<const char*>(address), strides[0], {box[0], box[1]}};
  return 0;
}

cudaError_t CheckLaunch(const cudaLaunchConfig_t& config) {
  const dim3 block = config.blockDim, grid = config.gridDim;
  constexpr size_t kMaxShared = 227 << 10;
  if (block.x * block.y * block.z > kMaxThreads || block.x * block.y * block.z == 0 ||
      grid.y > 65535 || grid.z > 65535 || config.dynamicSmemBytes > kMaxShared)
    return cudaErrorInvalidValue;
  return cudaSuccess;
}

namespace {

// Device memory ends where a page begins that nobody may touch.
struct Allocation {
  char* pages;
  size_t bytes;
  size_t asked;
};
std::map<const char*, Allocation>& allocations() {
  static std::map<const char*, Allocation> all;
  return all;
}

std::set<EmulatedStream*>& streams() {
  static std::set<EmulatedStream*> all;
  return all;
}

void CatchUp(EmulatedStream& stream) {
  for (const auto& work : stream.late) work();
  stream.late.clear();
}

}  // namespace
}  // namespace emulation

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "an error of the emulation";
}
const char* cudaGetErrorName(cudaError_t) { return "emulated"; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 12090;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return cudaRuntimeGetVersion(version); }
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const char* capability = std::getenv("BAGEL_EMULATION_CAPABILITY");
  const int number = capability != nullptr ? std::atoi(capability) : 90;
  *properties = {"emulated GPU", number / 10, number % 10, 4, size_t{1} << 34, 227 << 10};
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaDeviceSetLimit(cudaLimit, size_t) { return cudaSuccess; }
cudaError_t cudaDeviceSynchronize() {
  for (EmulatedStream* stream : emulation::streams()) emulation::CatchUp(*stream);
  return cudaSuccess;
}
// BAGEL_EMULATION_FREE_BYTES is what other processes leave of the memory.
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total) {
  const char* bytes = std::getenv("BAGEL_EMULATION_FREE_BYTES");
  *total = size_t{1} << 34;
  const size_t left = bytes != nullptr ? std::strtoull(bytes, nullptr, 10) : *total;
  size_t used = 0;
  for (const auto& [data, allocation] : emulation::allocations()) used += allocation.asked;
  *free_bytes = left - std::min(left, used);
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** data, size_t bytes) {
  constexpr size_t kAlignment = 256;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const size_t pages = (rounded + page - 1) / page * page + page;
  size_t free_bytes = 0, total = 0;
  cudaMemGetInfo(&free_bytes, &total);
  if (bytes > free_bytes) return cudaErrorMemoryAllocation;
  void* memory = mmap(nullptr, pages, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return cudaErrorMemoryAllocation;
  auto* begin = static_cast<char*>(memory);
  mprotect(begin + pages - page, page, PROT_NONE);
  char* given = begin + pages - page - rounded;
  std::memset(given, 0xFF, rounded);  // NaN
  emulation::allocations()[given] = {begin, pages, bytes};
  *data = given;
  return cudaSuccess;
}
cudaError_t cudaFree(void* data) {
  auto& all = emulation::allocations();
  const auto found = all.find(static_cast<char*>(data));
  if (found == all.end()) return cudaSuccess;
  cudaDeviceSynchronize();
  munmap(found->second.pages, found->second.bytes);
  all.erase(found);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** data, size_t bytes) {
  *data = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  return *data == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFreeHost(void* data) {
  std::free(data);
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* data) {
  const auto& all = emulation::allocations();
  const auto* address = static_cast<const char*>(data);
  auto found = all.upper_bound(address);
  bool inside = false;
  if (found != all.begin()) {
    --found;
    inside = address < found->second.pages + found->second.bytes;
  }
  attributes->type = inside ? cudaMemoryTypeDevice : cudaMemoryTypeUnregistered;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new EmulatedStream;
  emulation::streams().insert(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  emulation::CatchUp(*stream);
  emulation::streams().erase(stream);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  emulation::CatchUp(*stream);
  return stream->recording != nullptr ? cudaErrorInvalidValue : cudaSuccess;
}
// Backwards, nothing on the stream that waits runs before somebody waits for it in turn.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (event->stream == nullptr) return cudaSuccess;
  if (event->stream->lags)
    emulation::CatchUp(*event->stream);
  else
    stream->lags = emulation::Backwards();
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  return emulation::Queue(stream, [=] { std::memcpy(to, from, bytes); });
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  return emulation::Queue(stream, [=] { std::memset(to, value, bytes); });
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new EmulatedEvent;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (event->stream != nullptr) emulation::CatchUp(*event->stream);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->stream = stream;
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  *milliseconds = 1;
  return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  attributes->ptxVersion = 90;
  return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int, size_t) {
  *blocks = 1;
  return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return cudaSuccess; }
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  stream->recording = new EmulatedGraph;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = stream->recording;
  stream->recording = nullptr;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new EmulatedGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t) {
  for (const auto& work : exec->work) work();
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char*, void** function, unsigned,
                                             unsigned long long, cudaDriverEntryPointQueryResult*) {
  *function = reinterpret_cast<void*>(emulation::EncodeMap);
  return cudaSuccess;
}
