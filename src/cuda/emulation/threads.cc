#include "threads.h"

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace emulation {
namespace {

constexpr size_t kStackBytes = 128 << 10;
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

bool Backwards() {
  static const bool backwards = std::getenv("BAGEL_EMULATION_BACKWARDS") != nullptr;
  return backwards;
}

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

}  // namespace emulation
