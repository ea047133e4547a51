#include "cpu/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <string>

#include "base/error.h"

namespace bagel {

void* AllocateAligned(size_t bytes) {
  constexpr size_t kLine = 64, kHugePage = size_t{2} << 20, kLarge = size_t{16} << 20;
  const size_t alignment = bytes >= kLarge ? kHugePage : kLine;
  const size_t padded = (bytes / alignment + 1) * alignment;
  void* memory = std::aligned_alloc(alignment, padded);
  if (memory == nullptr)
    throw Error(ErrorKind::kOutOfMemory, "no memory for " + std::to_string(bytes >> 20) + " MiB");
  // Only advice: where it is refused, small pages serve.
  if (bytes >= kLarge) static_cast<void>(madvise(memory, padded, MADV_HUGEPAGE));
  return memory;
}

void FreeAligned(void* memory) { std::free(memory); }

}  // namespace bagel
