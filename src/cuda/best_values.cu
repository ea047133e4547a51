// A row is cut into groups of a few columns. The largest value of the kSought-th best group is the
// floor: at least kSought values reach it, and all that do lie in groups whose largest does.
#include <algorithm>

#include "cuda/best_values.h"
#include "cuda/launch.h"
#include "cuda/ptx.cuh"
#include "cuda/values.cuh"

namespace bagel {
namespace {

constexpr int kThreads = 256, kGroupsOfWarp = 4;
constexpr int kSelectThreads = 1024, kSelectWarps = kSelectThreads / 32;
constexpr int kOwnGroups = 5;  // of a thread that selects
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

// A row's groups: columns [g, g + 1) * 32 * lines each, the last as far as there are columns.
struct Groups {
  int cols, lines, count;
};

__device__ inline unsigned WarpMaxOfKeys(unsigned key) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2)
    key = max(key, __shfl_xor_sync(0xFFFFFFFFu, key, offset));
  return key;
}

// keys[row][group] of the groups' largest; a warp has kGroupsOfWarp of them.
__global__ void __launch_bounds__(kThreads)
    GroupKeysKernel(unsigned* keys, View<const float> x, Groups groups) {
  LetLaterKernelsStart();
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int first = static_cast<int>((blockIdx.x * blockDim.x + threadIdx.x) / 32) * kGroupsOfWarp;
  WaitForEarlierKernels();
  unsigned largest[kGroupsOfWarp] = {};
  for (int line = 0; line < groups.lines; ++line) {
#pragma unroll
    for (int i = 0; i < kGroupsOfWarp; ++i) {
      const int column = ((first + i) * groups.lines + line) * 32 + lane;
      if (column < groups.cols) largest[i] = max(largest[i], KeyOf(*x.At(blockIdx.y, column)));
    }
  }
#pragma unroll
  for (int i = 0; i < kGroupsOfWarp; ++i) {
    const unsigned key = WarpMaxOfKeys(largest[i]);
    if (lane == 0 && first + i < groups.count)
      keys[static_cast<int64_t>(blockIdx.y) * groups.count + first + i] = key;
  }
}

// A key that at least kSought of the block's keys reach, and few more; 0 where there are fewer.
__device__ inline unsigned FindFloor(const unsigned (&own)[kOwnGroups]) {
  __shared__ int reaching[2][kSelectWarps];
  constexpr int kFewMore = BestValues::kSought / 4;
  unsigned floor = 0;
#pragma unroll 1
  for (int bit = 31; bit >= 0; --bit) {
    const unsigned tried = floor | 1u << bit;
    int count = 0;
#pragma unroll
    for (int i = 0; i < kOwnGroups; ++i)
      count += __popc(__ballot_sync(0xFFFFFFFFu, own[i] >= tried));
    if (threadIdx.x % 32 == 0) reaching[bit % 2][threadIdx.x / 32] = count;
    __syncthreads();
    int all = 0;
#pragma unroll
    for (int i = 0; i < kSelectWarps; ++i) all += reaching[bit % 2][i];
    if (all < BestValues::kSought) continue;
    floor = tried;
    if (all <= BestValues::kSought + kFewMore) break;
  }
  return floor;
}

// One block a row.
__global__ void __launch_bounds__(kSelectThreads)
    SelectKernel(BestValues* all, const unsigned* keys, View<const float> x, Groups groups) {
  __shared__ int count, found[kMostGroups], columns[BestValues::kMost];
  __shared__ float values[BestValues::kMost];
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32;
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
  if (thread == 0) count = 0;
  __syncthreads();
  if (!numbers) atomicAdd(&count, 1);
  __syncthreads();
  if (count > 0) {
    if (thread == 0) best.count = BestValues::kNotNumbers;
    return;
  }

  const unsigned floor = FindFloor(own);
#pragma unroll
  for (int i = 0; i < kOwnGroups; ++i) {
    const int group = thread + i * kSelectThreads;
    if (group < groups.count && own[i] >= floor) found[atomicAdd(&count, 1)] = group;
  }
  __syncthreads();
  const int lines = count * groups.lines;
  __syncthreads();
  if (thread == 0) count = 0;
  __syncthreads();
  constexpr int kTogether = 4;
  for (int first = thread / 32; first < lines; first += kTogether * kSelectWarps) {
    int column[kTogether];
    float value[kTogether];
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      const int line = first + i * kSelectWarps;
      column[i] = groups.cols;
      if (line >= lines) continue;
      column[i] = (found[line / groups.lines] * groups.lines + line % groups.lines) * 32 + lane;
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
  constexpr int64_t kLine = 32;
  const int64_t lines = (x.cols + kLine * kMostGroups - 1) / (kLine * kMostGroups);
  const int64_t count = (x.cols + kLine * lines - 1) / (kLine * lines);
  const Groups groups{static_cast<int>(x.cols), static_cast<int>(lines), static_cast<int>(count)};
  auto* keys = static_cast<unsigned*>(
      context.Scratch(static_cast<size_t>(x.rows * count) * sizeof(unsigned)));
  const auto rows = static_cast<unsigned>(x.rows);
  constexpr int64_t kGroupsOfBlock = kThreads / 32 * kGroupsOfWarp;
  Launch(context.stream(),
         {.grid = dim3(static_cast<unsigned>((count + kGroupsOfBlock - 1) / kGroupsOfBlock), rows),
          .block = dim3(kThreads),
          .overlaps = context.HasOverlap()},
         GroupKeysKernel, keys, ViewOf<const float>(x), groups);
  Launch(context.stream(),
         {.grid = dim3(rows), .block = dim3(kSelectThreads), .overlaps = context.HasOverlap()},
         SelectKernel, best, keys, ViewOf<const float>(x), groups);
}

}  // namespace bagel
