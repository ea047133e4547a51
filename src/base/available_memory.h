// How much memory this process may still take.
#ifndef BAGEL_BASE_AVAILABLE_MEMORY_H_
#define BAGEL_BASE_AVAILABLE_MEMORY_H_

#include <cstddef>

namespace bagel {

// Bytes that the system can give without swapping, file caches that can be dropped included
// (MemAvailable of /proc/meminfo), and no more than the memory limit of this process's control
// group leaves. 0 if unknown.
size_t AvailableMemory();

}  // namespace bagel

#endif  // BAGEL_BASE_AVAILABLE_MEMORY_H_
