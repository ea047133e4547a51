#include "base/available_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace bagel {
namespace {

// The limit of a container (control groups, version 2) less what it holds; the largest number
// without a limit.
size_t GroupMemory() {
  size_t limit = 0, current = 0;
  std::ifstream limit_file("/sys/fs/cgroup/memory.max"), use_file("/sys/fs/cgroup/memory.current");
  if (!(limit_file >> limit) || !(use_file >> current)) return std::numeric_limits<size_t>::max();
  return limit - std::min(limit, current);
}

}  // namespace

size_t AvailableMemory() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  for (size_t kilobytes = 0; file >> name >> kilobytes; std::getline(file, unit))
    if (name == "MemAvailable:") return std::min(kilobytes * 1024, GroupMemory());
  return 0;
}

}  // namespace bagel
