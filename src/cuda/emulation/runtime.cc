#include <cuda_runtime.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <vector>

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

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace emulation {
namespace {

constexpr size_t kStackBytes = 128 << 10;
constexpr unsigned kMaxThreads = 1024;
constexpr size_t kSharedAlignment = 1024;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "emulated GPU: %s\n", what);
  std::abort();
}

// Saves the callee's registers on one stack and goes on with another.
extern "C" void EmulationSwitch(void** from, void* to);
asm(R"(
.text
.globl EmulationSwitch
.type EmulationSwitch, @function
EmulationSwitch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size EmulationSwitch, .-EmulationSwitch
)");

struct Copy {
  void* to;
  const void* from;
  size_t bytes;
};

struct Fiber {
  void* stack_pointer = nullptr;
  unsigned number = 0;
  uint3 thread{};
  bool done = false;
  const unsigned* waits_for = nullptr;  // until it is no longer `old`
  unsigned old = 0;
  std::vector<std::vector<Copy>> copies;  // groups; the last one is still open
};

struct Warp {
  unsigned generation = 0;
  unsigned arrived = 0;  // lanes
  alignas(64) unsigned char slots[2][32][64];
};

struct NamedBarrier {
  unsigned generation = 0;
  int arrived = 0;
};

struct Machine {
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  std::unique_ptr<char[]> stacks{new char[kStackBytes * kMaxThreads]};
  std::vector<unsigned char> shared;
  Fiber* current = nullptr;
  void* scheduler = nullptr;
  unsigned barrier = 0, arrived = 0, alive = 0;
  NamedBarrier named[16];
  const std::function<void()>* kernel = nullptr;
};
Machine& machine() {
  static Machine instance;
  return instance;
}

void Yield() { EmulationSwitch(&machine().current->stack_pointer, machine().scheduler); }

void WaitFor(const unsigned& counter, unsigned old) {
  Fiber& self = *machine().current;
  self.waits_for = &counter;
  self.old = old;
  Yield();
  self.waits_for = nullptr;
}

void FiberMain() {
  Machine& m = machine();
  (*m.kernel)();
  m.current->done = true;
  --m.alive;
  if (m.arrived != 0 && m.arrived == m.alive) {
    m.arrived = 0;
    ++m.barrier;
  }
  Yield();
  Fail("a finished thread went on");
}

void Prepare(Fiber& fiber, unsigned index) {
  auto top = reinterpret_cast<uintptr_t>(machine().stacks.get() + (index + 1) * kStackBytes);
  top &= ~uintptr_t{63};
  auto* words = reinterpret_cast<void**>(top - 64);
  words[0] = reinterpret_cast<void*>(FiberMain);
  fiber.stack_pointer = words - 6;
  fiber.done = false;
  fiber.waits_for = nullptr;
  fiber.copies.assign(1, {});
}

// The order of lanes, and of streams that do not wait for each other: backwards where the variable
// is set, which shows other missing barriers.
bool Backwards() {
  static const bool backwards = std::getenv("BAGEL_EMULATION_BACKWARDS") != nullptr;
  return backwards;
}

void RunBlock() {
  Machine& m = machine();
  const auto count = m.fibers.size();
  while (m.alive > 0) {
    bool progress = false;
    for (size_t i = 0; i < count; ++i) {
      Fiber& fiber = m.fibers[Backwards() ? count - 1 - i : i];
      if (fiber.done || (fiber.waits_for != nullptr && *fiber.waits_for == fiber.old)) continue;
      progress = true;
      m.current = &fiber;
      threadIdx = fiber.thread;
      EmulationSwitch(&m.scheduler, fiber.stack_pointer);
    }
    if (!progress) Fail("all threads of a block wait: a barrier that not all of them reach");
  }
}

void Perform(const Copy& copy) {
  if (copy.from == nullptr)
    std::memset(copy.to, 0, copy.bytes);
  else
    std::memcpy(copy.to, copy.from, copy.bytes);
}

}  // namespace

unsigned Self() { return machine().current->number; }

void SyncThreads() {
  Machine& m = machine();
  const unsigned old = m.barrier;
  if (++m.arrived == m.alive) {
    m.arrived = 0;
    ++m.barrier;
    return;
  }
  WaitFor(m.barrier, old);
}

void WaitWhile(const unsigned& value, unsigned old) {
  if (value == old) WaitFor(value, old);
}

void SyncNamed(int number, int threads, bool wait) {
  NamedBarrier& named = machine().named[number];
  const unsigned old = named.generation;
  if (++named.arrived == threads) {
    named.arrived = 0;
    ++named.generation;
    return;
  }
  if (wait) WaitFor(named.generation, old);
}

unsigned NextExchange() { return machine().warps[Self() / 32].generation; }

void* WarpSlot(unsigned exchange, unsigned lane) {
  return machine().warps[Self() / 32].slots[exchange % 2][lane];
}

void SyncWarp(unsigned mask) {
  Warp& warp = machine().warps[Self() / 32];
  const unsigned old = warp.generation;
  warp.arrived |= 1u << Self() % 32;
  if (warp.arrived == mask) {
    warp.arrived = 0;
    ++warp.generation;
    return;
  }
  WaitFor(warp.generation, old);
}

unsigned char* DynamicShared() {
  constexpr uintptr_t kAlignment = kSharedAlignment;
  const auto address = reinterpret_cast<uintptr_t>(machine().shared.data());
  return machine().shared.data() + (kAlignment - address % kAlignment) % kAlignment;
}

void CopyLater(void* to, const void* from, size_t bytes) {
  machine().current->copies.back().push_back({to, from, bytes});
}

void CommitCopies() { machine().current->copies.emplace_back(); }

void WaitForCopies(int groups_left) {
  auto& groups = machine().current->copies;
  while (static_cast<int>(groups.size()) - 1 > groups_left) {
    for (const Copy& copy : groups.front()) Perform(copy);
    groups.erase(groups.begin());
  }
}

void Run(dim3 grid, dim3 block, size_t shared, const std::function<void()>& kernel) {
  Machine& m = machine();
  const unsigned threads = block.x * block.y * block.z;
  m.kernel = &kernel;
  blockDim = block;
  gridDim = grid;
  m.fibers.resize(threads);
  m.warps.resize((threads + 31) / 32);
  m.shared.resize(shared + kSharedAlignment);
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        std::fill(m.shared.begin(), m.shared.end(), 0xFF);
        blockIdx = {x, y, z};
        m.alive = threads;
        m.arrived = 0;
        for (Warp& warp : m.warps) warp.arrived = 0;
        for (NamedBarrier& named : m.named) named.arrived = 0;
        for (unsigned i = 0; i < threads; ++i) {
          Prepare(m.fibers[i], i);
          m.fibers[i].number = i;
          m.fibers[i].thread = {i % block.x, i / block.x % block.y, i / block.x / block.y};
        }
        RunBlock();
      }
    }
  }
}

cudaError_t Queue(cudaStream_t stream, std::function<void()> work) {
  if (stream->recording != nullptr)
    stream->recording->work.push_back(std::move(work));
  else if (stream->lags)
    stream->late.push_back(std::move(work));
  else
    work();
  return cudaSuccess;
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
