// Host memory of the CPU device.
#ifndef BAGEL_CPU_MEMORY_H_
#define BAGEL_CPU_MEMORY_H_

#include <cstddef>

namespace bagel {

// At least 64-byte aligned, contents undefined; give it back with FreeAligned. Large blocks ask for
// huge pages: rows of activations lie a page or more apart, and the address cache is soon full.
// Throws kOutOfMemory with the size.
void* AllocateAligned(size_t bytes);
void FreeAligned(void* memory);

}  // namespace bagel

#endif  // BAGEL_CPU_MEMORY_H_
