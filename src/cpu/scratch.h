// Buffers of one kernel call that grow once and stay.
#ifndef BAGEL_CPU_SCRATCH_H_
#define BAGEL_CPU_SCRATCH_H_

#include <cstdint>
#include <memory>

#include "cpu/memory.h"

namespace bagel {

// 64-byte aligned memory, contents undefined, that only grows.
class Scratch {
 public:
  template <typename T>
  T* Get(int64_t count) {
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    if (bytes > capacity_) {
      memory_.reset();
      memory_.reset(AllocateAligned(bytes));
      capacity_ = bytes;
    }
    return static_cast<T*>(memory_.get());
  }

 private:
  struct Deleter {
    void operator()(void* memory) const { FreeAligned(memory); }
  };
  std::unique_ptr<void, Deleter> memory_;
  size_t capacity_ = 0;
};

}  // namespace bagel

#endif  // BAGEL_CPU_SCRATCH_H_
