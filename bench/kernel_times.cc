// Where a CUDA program's time goes, kernel by kernel, from CUPTI's records:
//
//   cuda=/usr/local/cuda cupti=$cuda/extras/CUPTI
//   g++ -O1 -std=c++20 -shared -fPIC -I$cuda/include -I$cupti/include -L$cupti/lib64
//     bench/kernel_times.cc -o kernel_times.so -lcupti          (one line with the one above)
//   CUDA_INJECTION64_PATH=$PWD/kernel_times.so bagel bench --device cuda ...
//
// At the program's end a table goes to stderr, or to the file that KERNEL_TIMES names: how often,
// microseconds from start to end, microseconds from the end of what ended before to its own, the
// sum of those in milliseconds, and which kernel with which grid, threads, bytes of shared memory
// and registers. The second time counts a kernel that begins while others run only once.
#include <cupti.h>
#include <cxxabi.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace {

struct Run {
  std::string kernel;
  uint64_t begin, end;  // ns
};

struct Sums {
  int count = 0;
  double between = 0, alone = 0;  // us
};

std::mutex mutex;
std::vector<Run> runs;

// The name without its arguments and without what all of the program's kernels share.
std::string ShortName(const char* mangled) {
  int status = 0;
  char* readable = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  std::string name = readable != nullptr ? readable : mangled;
  std::free(readable);
  for (const std::string shared : {"bagel::", "(anonymous namespace)::", "void "})
    for (size_t at; (at = name.find(shared)) != std::string::npos;) name.erase(at, shared.size());
  int depth = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<') ++depth;
    if (name[i] == '>') --depth;
    if (name[i] == '(' && depth == 0) name.resize(i);
  }
  return name;
}

void AddRecord(const CUpti_Activity& record) {
  if (record.kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) {
    const auto& kernel = reinterpret_cast<const CUpti_ActivityKernel9&>(record);
    char shape[128];
    std::snprintf(shape, sizeof(shape), " [%d,%d,%d x %d, %d bytes, %d registers]", kernel.gridX,
                  kernel.gridY, kernel.gridZ, kernel.blockX,
                  kernel.dynamicSharedMemory + kernel.staticSharedMemory,
                  kernel.registersPerThread);
    runs.push_back({ShortName(kernel.name) + shape, kernel.start, kernel.end});
  } else if (record.kind == CUPTI_ACTIVITY_KIND_MEMCPY) {
    const auto& copy = reinterpret_cast<const CUpti_ActivityMemcpy5&>(record);
    runs.push_back({copy.copyKind == CUPTI_ACTIVITY_MEMCPY_KIND_HTOD   ? "copy to the device"
                    : copy.copyKind == CUPTI_ACTIVITY_MEMCPY_KIND_DTOH ? "copy to the host"
                                                                       : "copy on the device",
                    copy.start, copy.end});
  }
}

void GiveBuffer(uint8_t** buffer, size_t* size, size_t* records) {
  constexpr size_t kBytes = 8 << 20;
  *buffer = static_cast<uint8_t*>(std::aligned_alloc(8, kBytes));
  *size = kBytes;
  *records = 0;
}

void TakeBuffer(CUcontext, uint32_t, uint8_t* buffer, size_t, size_t valid) {
  const std::lock_guard lock(mutex);
  CUpti_Activity* record = nullptr;
  while (cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) AddRecord(*record);
  std::free(buffer);
}

void PrintTable() {
  cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.end < b.end; });
  std::map<std::string, Sums> kernels;
  uint64_t last = 0;
  for (const Run& run : runs) {
    Sums& sums = kernels[run.kernel];
    const double between = static_cast<double>(run.end - run.begin) / 1e3;
    const double alone = last == 0 ? between : static_cast<double>(run.end - last) / 1e3;
    constexpr double kPause = 200;  // us that the host took for something else
    ++sums.count;
    sums.between += between;
    sums.alone += alone < std::max(kPause, 2 * between) ? alone : between;
    last = std::max(last, run.end);
  }
  std::vector<std::pair<std::string, Sums>> table(kernels.begin(), kernels.end());
  std::sort(table.begin(), table.end(),
            [](const auto& a, const auto& b) { return a.second.alone > b.second.alone; });
  const char* path = std::getenv("KERNEL_TIMES");
  FILE* file = path != nullptr ? std::fopen(path, "w") : stderr;
  if (file == nullptr) return;
  for (const auto& [kernel, sums] : table)
    std::fprintf(file, "%7d x %9.2f us, alone %9.2f us: %9.2f ms  %s\n", sums.count,
                 sums.between / sums.count, sums.alone / sums.count, sums.alone / 1e3,
                 kernel.c_str());
  if (file != stderr) std::fclose(file);
}

}  // namespace

// The driver calls this when it starts.
extern "C" int InitializeInjection() {
  cuptiActivityRegisterCallbacks(GiveBuffer, TakeBuffer);
  cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
  cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMCPY);
  std::atexit(PrintTable);
  return 1;
}
