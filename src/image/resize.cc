#include "image/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/uninitialised.h"
#include "base/vector_clones.h"

namespace bagel {
namespace {

// Pillow's fixed point (Resample.c): 8 bits for the result, 2 for overshoot, the rest is fraction.
constexpr int kFractionBits = 32 - 8 - 2;
constexpr int32_t kHalf = int32_t{1} << (kFractionBits - 1);
constexpr double kSupport = 2.0;  // of the bicubic kernel, in source pixels when enlarging
constexpr size_t kChannels = 3;

// Keys' cubic convolution kernel with a = -0.5.
double Bicubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

// For each output index, the source indices that it is made of and their weights.
struct Kernel {
  struct Window {
    size_t first;
    size_t count;
  };
  std::vector<Window> windows;
  std::vector<int32_t> weights;  // [output, row_length], fixed point
  size_t row_length = 0;

  const int32_t* Row(size_t output) const { return weights.data() + output * row_length; }
};

Kernel MakeKernel(size_t source, size_t target) {
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  const double widening = std::max(scale, 1.0);
  const double support = kSupport * widening;
  Kernel kernel;
  kernel.row_length = static_cast<size_t>(std::ceil(support)) * 2 + 1;
  kernel.weights.resize(target * kernel.row_length);
  kernel.windows.reserve(target);
  std::vector<double> exact(kernel.row_length);
  for (size_t output = 0; output < target; ++output) {
    const double center = (static_cast<double>(output) + 0.5) * scale;
    const double first = std::max(std::trunc(center - support + 0.5), 0.0);
    const double end = std::min(std::trunc(center + support + 0.5), static_cast<double>(source));
    const size_t count = static_cast<size_t>(end - first);
    double sum = 0;
    for (size_t i = 0; i < count; ++i) {
      const double distance = static_cast<double>(i) + first - center + 0.5;
      exact[i] = Bicubic(distance * (1.0 / widening));
      sum += exact[i];
    }
    int32_t* const row = kernel.weights.data() + output * kernel.row_length;
    for (size_t i = 0; i < count; ++i) {
      const double weight = exact[i] / sum * (int32_t{1} << kFractionBits);
      row[i] = static_cast<int32_t>(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    kernel.windows.push_back({static_cast<size_t>(first), count});
  }
  return kernel;
}

uint8_t ToByte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

// Calls body(begin, end) for bands that together are all rows.
void ForBands(size_t rows, ThreadPool* pool,
              const std::function<void(size_t begin, size_t end)>& body) {
  constexpr size_t kBand = 16;
  ParallelFor(pool, static_cast<int64_t>((rows + kBand - 1) / kBand), [&](int64_t band) {
    const size_t begin = static_cast<size_t>(band) * kBand;
    body(begin, std::min(begin + kBand, rows));
  });
}

// Red, green and blue of a pixel, and a fourth value that is not used.
using Sums [[gnu::vector_size(16)]] = int32_t;

// Rows that go through the columns' kernel together: each weight is read once for all of them.
constexpr size_t kGroup = 4;

// What ResizeColumnsOfGroup works on. The last pixel of a row has a fourth value too.
struct GroupScratch {
  GroupScratch(size_t source_bytes, size_t target_bytes)
      : values(kGroup * (source_bytes + 1)), sums(kGroup * (target_bytes + 1)) {}
  std::vector<int32_t> values;  // [kGroup, source_bytes + 1]
  std::vector<int32_t> sums;    // [kGroup, target_bytes + 1]
};

// [rows, source_bytes] -> [rows, kernel outputs * 3] for up to kGroup rows.
BAGEL_VECTOR_CLONES
void ResizeColumnsOfGroup(const uint8_t* source, size_t source_bytes, size_t rows,
                          const Kernel& kernel, GroupScratch& scratch, uint8_t* target) {
  const size_t outputs = kernel.windows.size();
  const size_t target_bytes = outputs * kChannels;
  int32_t* const values = scratch.values.data();
  int32_t* const sums = scratch.sums.data();
  for (size_t r = 0; r < rows; ++r) {
    for (size_t i = 0; i < source_bytes; ++i)
      values[r * (source_bytes + 1) + i] = source[r * source_bytes + i];
  }
  for (size_t x = 0; x < outputs; ++x) {
    const auto [first, count] = kernel.windows[x];
    const int32_t* const weights = kernel.Row(x);
    std::array<Sums, kGroup> group_sums;
    group_sums.fill(Sums{kHalf, kHalf, kHalf, kHalf});
    for (size_t i = 0; i < count; ++i) {
      for (size_t r = 0; r < kGroup; ++r) {
        Sums pixel;
        std::memcpy(&pixel, values + r * (source_bytes + 1) + (first + i) * kChannels,
                    sizeof(pixel));
        group_sums[r] += pixel * weights[i];
      }
    }
    for (size_t r = 0; r < kGroup; ++r)
      std::memcpy(sums + r * (target_bytes + 1) + x * kChannels, &group_sums[r], sizeof(Sums));
  }
  for (size_t r = 0; r < rows; ++r) {
    for (size_t i = 0; i < target_bytes; ++i)
      target[r * target_bytes + i] = ToByte(sums[r * (target_bytes + 1) + i]);
  }
}

// [height, source width, 3] -> [height, kernel outputs, 3].
void ResizeColumns(const uint8_t* source, size_t source_width, size_t height, const Kernel& kernel,
                   ThreadPool* pool, uint8_t* target) {
  const size_t source_bytes = source_width * kChannels;
  const size_t target_bytes = kernel.windows.size() * kChannels;
  ForBands(height, pool, [&](size_t begin, size_t end) {
    GroupScratch scratch(source_bytes, target_bytes);
    for (size_t y = begin; y < end; y += kGroup) {
      ResizeColumnsOfGroup(source + y * source_bytes, source_bytes, std::min(kGroup, end - y),
                           kernel, scratch, target + y * target_bytes);
    }
  });
}

// The weighted sum of `count` rows.
BAGEL_VECTOR_CLONES
void MixRows(const uint8_t* source, size_t row_bytes, size_t count, const int32_t* weights,
             uint8_t* target) {
  constexpr size_t kBlock = 256;
  for (size_t begin = 0; begin < row_bytes; begin += kBlock) {
    const size_t bytes = std::min(kBlock, row_bytes - begin);
    std::array<int32_t, kBlock> sums;
    sums.fill(kHalf);
    for (size_t i = 0; i < count; ++i) {
      const uint8_t* const row = source + i * row_bytes + begin;
      for (size_t x = 0; x < bytes; ++x) sums[x] += row[x] * weights[i];
    }
    for (size_t x = 0; x < bytes; ++x) target[begin + x] = ToByte(sums[x]);
  }
}

// [source height, row_bytes] -> [kernel outputs, row_bytes].
void ResizeRows(const uint8_t* source, size_t row_bytes, const Kernel& kernel, ThreadPool* pool,
                uint8_t* target) {
  ForBands(kernel.windows.size(), pool, [&](size_t begin, size_t end) {
    for (size_t y = begin; y < end; ++y) {
      const auto [first, count] = kernel.windows[y];
      MixRows(source + first * row_bytes, row_bytes, count, kernel.Row(y), target + y * row_bytes);
    }
  });
}

// Since Pillow 13 (its pull request 9549) the pass over the rows goes first where the height
// shrinks by more than twice the pixels that the width does. Before, columns always went first.
bool RowsGoFirst(PictureSize source, PictureSize target) {
  return target.height < source.height &&
         source.height - target.height > 2 * (source.width - target.width);
}

}  // namespace

Picture ResizeBicubic(const Picture& picture, PictureSize size, ThreadPool* pool) {
  CHECK(picture.width > 0 && picture.height > 0 && size.width > 0 && size.height > 0);
  const auto source_width = static_cast<size_t>(picture.width);
  const auto source_height = static_cast<size_t>(picture.height);
  const auto width = static_cast<size_t>(size.width);
  const auto height = static_cast<size_t>(size.height);
  const uint8_t* const source = picture.rgb.data();
  CHECK(picture.rgb.size() == source_width * source_height * kChannels);
  if (source_width == width && source_height == height) return picture;
  Picture resized{.width = size.width, .height = size.height, .rgb = {}};
  resized.rgb.resize(width * height * kChannels);
  uint8_t* const target = resized.rgb.data();
  if (source_width == width) {
    ResizeRows(source, width * kChannels, MakeKernel(source_height, height), pool, target);
    return resized;
  }
  const Kernel columns = MakeKernel(source_width, width);
  if (source_height == height) {
    ResizeColumns(source, source_width, height, columns, pool, target);
    return resized;
  }
  const Kernel rows = MakeKernel(source_height, height);
  UninitialisedVector<uint8_t> between;
  if (RowsGoFirst({picture.width, picture.height}, size)) {
    between.resize(source_width * height * kChannels);
    ResizeRows(source, source_width * kChannels, rows, pool, between.data());
    ResizeColumns(between.data(), source_width, height, columns, pool, target);
  } else {
    between.resize(width * source_height * kChannels);
    ResizeColumns(source, source_width, source_height, columns, pool, between.data());
    ResizeRows(between.data(), width * kChannels, rows, pool, target);
  }
  return resized;
}

Picture ResizeByRule(const Picture& picture, const SizeLimits& limits, ThreadPool* pool) {
  return ResizeBicubic(picture, ResizedSize({picture.width, picture.height}, limits), pool);
}

}  // namespace bagel
