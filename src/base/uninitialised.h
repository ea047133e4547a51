// Vectors for values that are all written before they are read.
#ifndef BAGEL_BASE_UNINITIALISED_H_
#define BAGEL_BASE_UNINITIALISED_H_

#include <memory>
#include <vector>

namespace bagel {

// Leaves values without a constructor as they are where std::allocator sets them to zero.
template <typename Value>
class UninitialisedAllocator : public std::allocator<Value> {
 public:
  template <typename Other>
  struct rebind {
    using other = UninitialisedAllocator<Other>;
  };

  template <typename Other>
  void construct(Other* place) {
    ::new (static_cast<void*>(place)) Other;
  }
};

// resize() does not touch the memory, so the threads that fill it also share the work of getting
// its pages from the system, which takes longer than to write them.
template <typename Value>
using UninitialisedVector = std::vector<Value, UninitialisedAllocator<Value>>;

}  // namespace bagel

#endif  // BAGEL_BASE_UNINITIALISED_H_
