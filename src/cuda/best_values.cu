// A row is cut into groups of a few columns. The largest value of the kSought-th best group is the
// floor: at least kSought values reach it, and all that do lie in groups whose largest does.
#include <algorithm>

#include "cuda/best_values.h"
#include "cuda/launch.h"
#include "cuda/ptx.cuh"
#include "cuda/values.cuh"

namespace bagel {
namespace {

constexpr int kThreads = 256, kBlocksOfWarp = 4;
constexpr int kSelectThreads = 512, kSelectWarps = kSelectThreads / 32;
constexpr int kOwnGroups = 10;  // of a thread that selects
constexpr int kMostGroups = kSelectThreads * kOwnGroups;
constexpr unsigned kNaN = 0xFFFFFFFF;

// Ordered as the values are, NaN above all.
__device__ inline unsigned KeyOf(float value) {
  const unsigned bits = __float_as_uint(value == 0 ? 0.0f : value);  // both zeros are equal
  if (value != value) return kNaN;
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

__device__ inline float ValueOf(unsigned key) {
  return __uint_as_float((key & 0x80000000u) != 0 ? key & 0x7FFFFFFFu : ~key);
}

// A row is read in lines of 32 columns. A group has `width` columns of one line, a power of two, or
// all of `lines` lines in a row.
struct Groups {
  int cols, width, lines, count;
};

// keys[row][group] of the groups' largest. A warp has kBlocksOfWarp times 32 * lines columns.
__global__ void __launch_bounds__(kThreads)
    GroupKeysKernel(unsigned* keys, View<const float> x, Groups groups) {
  LetLaterKernelsStart();
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int first = static_cast<int>((blockIdx.x * blockDim.x + threadIdx.x) / 32) * kBlocksOfWarp;
  WaitForEarlierKernels();
  unsigned largest[kBlocksOfWarp] = {};
  for (int line = 0; line < groups.lines; ++line) {
#pragma unroll
    for (int i = 0; i < kBlocksOfWarp; ++i) {
      const int column = ((first + i) * groups.lines + line) * 32 + lane;
      if (column < groups.cols) largest[i] = max(largest[i], KeyOf(*x.At(blockIdx.y, column)));
    }
  }
  unsigned* of_row = keys + static_cast<int64_t>(blockIdx.y) * groups.count;
#pragma unroll
  for (int i = 0; i < kBlocksOfWarp; ++i) {
    unsigned key = largest[i];
    for (int offset = groups.width / 2; offset > 0; offset /= 2)
      key = max(key, __shfl_xor_sync(0xFFFFFFFFu, key, offset));
    const int group = (first + i) * (32 / groups.width) + lane / groups.width;
    if (lane % groups.width == 0 && group < groups.count) of_row[group] = key;
  }
}

// A key that at least kSought of the block's `groups` keys reach, and few more; 0 where there are
// fewer.
__device__ inline unsigned FindFloor(const unsigned (&own)[kOwnGroups], int groups) {
  __shared__ unsigned lowest[kSelectWarps], highest[kSelectWarps];
  __shared__ int reaching[2][kSelectWarps];
  constexpr int kFewMore = BestValues::kSought / 4;
  if (groups < BestValues::kSought) return 0;
  const int thread = static_cast<int>(threadIdx.x);
  unsigned low = 0xFFFFFFFF, high = 0;
#pragma unroll
  for (int i = 0; i < kOwnGroups; ++i) {
    if (thread + i * kSelectThreads < groups) low = min(low, own[i]);
    high = max(high, own[i]);
  }
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    low = min(low, __shfl_xor_sync(0xFFFFFFFFu, low, offset));
    high = max(high, __shfl_xor_sync(0xFFFFFFFFu, high, offset));
  }
  if (thread % 32 == 0) {
    lowest[thread / 32] = low;
    highest[thread / 32] = high;
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kSelectWarps; ++i) {
    low = min(low, lowest[i]);
    high = max(high, highest[i]);
  }
  // At least kSought keys reach `low`, fewer reach what is above `high`.
#pragma unroll 1
  for (int turn = 0; low < high; turn = 1 - turn) {
    const unsigned tried = high - (high - low) / 2;
    int count = 0;
#pragma unroll
    for (int i = 0; i < kOwnGroups; ++i)
      count += __popc(__ballot_sync(0xFFFFFFFFu, own[i] >= tried));
    if (thread % 32 == 0) reaching[turn][thread / 32] = count;
    __syncthreads();
    int all = 0;
#pragma unroll
    for (int i = 0; i < kSelectWarps; ++i) all += reaching[turn][i];
    if (all < BestValues::kSought) {
      high = tried - 1;
    } else {
      low = tried;
      if (all <= BestValues::kSought + kFewMore) break;
    }
  }
  return low;
}

// One block a row.
__global__ void __launch_bounds__(kSelectThreads)
    SelectKernel(BestValues* all, const unsigned* keys, View<const float> x, Groups groups) {
  __shared__ int count, not_numbers, found[kMostGroups], columns[BestValues::kMost];
  __shared__ float values[BestValues::kMost];
  const int thread = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(blockIdx.x);
  BestValues& best = all[row];
  WaitForEarlierKernels();
  unsigned own[kOwnGroups];
  bool numbers = true;
#pragma unroll
  for (int i = 0; i < kOwnGroups; ++i) {
    const int group = thread + i * kSelectThreads;
    own[i] = group < groups.count ? keys[static_cast<int64_t>(row) * groups.count + group] : 0;
    numbers = numbers && own[i] != kNaN;
  }
  if (thread == 0) count = not_numbers = 0;
  __syncthreads();
  if (!numbers) atomicAdd(&not_numbers, 1);
  __syncthreads();
  if (not_numbers > 0) {
    if (thread == 0) best.count = BestValues::kNotNumbers;
    return;
  }

  const unsigned floor = FindFloor(own, groups.count);
#pragma unroll
  for (int i = 0; i < kOwnGroups; ++i) {
    const int group = thread + i * kSelectThreads;
    if (group < groups.count && own[i] >= floor) found[atomicAdd(&count, 1)] = group;
  }
  __syncthreads();
  // A lane for each column of the groups that were found.
  const int columns_found = count * groups.width * groups.lines;
  __syncthreads();
  if (thread == 0) count = 0;
  __syncthreads();
  constexpr int kTogether = 4;
  for (int first = thread; first < columns_found; first += kTogether * kSelectThreads) {
    int column[kTogether];
    float value[kTogether] = {};
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      const int index = first + i * kSelectThreads, size = groups.width * groups.lines;
      column[i] = index < columns_found ? found[index / size] * size + index % size : groups.cols;
      if (column[i] < groups.cols) value[i] = *x.At(row, column[i]);
    }
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      if (column[i] >= groups.cols || KeyOf(value[i]) < floor) continue;
      const int place = atomicAdd(&count, 1);
      if (place >= BestValues::kMost) continue;
      columns[place] = column[i];
      values[place] = value[i];
    }
  }
  __syncthreads();
  const bool fits = count <= BestValues::kMost;
  if (thread == 0) {
    best.count = fits ? count : BestValues::kTooMany;
    best.floor = floor == 0 ? -INFINITY : ValueOf(floor);
  }
  if (!fits) return;
  for (int i = thread; i < count; i += kSelectThreads) {
    best.columns[i] = columns[i];
    best.values[i] = values[i];
  }
}

}  // namespace

void CudaFindBest(CudaContext& context, BestValues* best, const Tensor& x) {
  // Small groups where there can be enough of them: few of a large one's columns are among the
  // best.
  constexpr int64_t kLine = 32;
  int64_t width = 1;
  while (width < kLine && x.cols > width * kMostGroups) width *= 2;
  const int64_t lines = (x.cols + width * kMostGroups - 1) / (width * kMostGroups);
  const int64_t count = (x.cols + width * lines - 1) / (width * lines);
  const Groups groups{static_cast<int>(x.cols), static_cast<int>(width), static_cast<int>(lines),
                      static_cast<int>(count)};
  auto* keys = static_cast<unsigned*>(
      context.Scratch(static_cast<size_t>(x.rows * count) * sizeof(unsigned)));
  const auto rows = static_cast<unsigned>(x.rows);
  const int64_t of_block = kThreads / kLine * kBlocksOfWarp * kLine * lines;
  Launch(context.stream(),
         {.grid = dim3(static_cast<unsigned>((x.cols + of_block - 1) / of_block), rows),
          .block = dim3(kThreads),
          .overlaps = context.HasOverlap()},
         GroupKeysKernel, keys, ViewOf<const float>(x), groups);
  Launch(context.stream(),
         {.grid = dim3(rows), .block = dim3(kSelectThreads), .overlaps = context.HasOverlap()},
         SelectKernel, best, keys, ViewOf<const float>(x), groups);
}

}  // namespace bagel
