#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/error.h"

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

// [height, source width, 3] -> [height, kernel outputs, 3].
void ResizeColumns(const uint8_t* source, size_t source_width, size_t height, const Kernel& kernel,
                   uint8_t* target) {
  for (size_t y = 0; y < height; ++y) {
    const uint8_t* const row = source + y * source_width * kChannels;
    for (size_t x = 0; x < kernel.windows.size(); ++x) {
      const auto [first, count] = kernel.windows[x];
      const int32_t* const weights = kernel.Row(x);
      const uint8_t* pixel = row + first * kChannels;
      int32_t red = kHalf;
      int32_t green = kHalf;
      int32_t blue = kHalf;
      for (size_t i = 0; i < count; ++i, pixel += kChannels) {
        red += pixel[0] * weights[i];
        green += pixel[1] * weights[i];
        blue += pixel[2] * weights[i];
      }
      *target++ = ToByte(red);
      *target++ = ToByte(green);
      *target++ = ToByte(blue);
    }
  }
}

// [source height, row_bytes] -> [kernel outputs, row_bytes].
void ResizeRows(const uint8_t* source, size_t row_bytes, const Kernel& kernel, uint8_t* target) {
  std::vector<int32_t> sums(row_bytes);
  for (size_t y = 0; y < kernel.windows.size(); ++y, target += row_bytes) {
    const auto [first, count] = kernel.windows[y];
    std::fill(sums.begin(), sums.end(), kHalf);
    for (size_t i = 0; i < count; ++i) {
      const int32_t weight = kernel.Row(y)[i];
      const uint8_t* const row = source + (first + i) * row_bytes;
      int32_t* const out = sums.data();
      for (size_t x = 0; x < row_bytes; ++x) out[x] += row[x] * weight;
    }
    for (size_t x = 0; x < row_bytes; ++x) target[x] = ToByte(sums[x]);
  }
}

Picture WithWidth(Picture picture, int width) {
  if (width == picture.width) return picture;
  const size_t source = static_cast<size_t>(picture.width);
  const size_t target = static_cast<size_t>(width);
  const size_t height = static_cast<size_t>(picture.height);
  Picture resized{.width = width, .height = picture.height, .rgb = {}};
  resized.rgb.resize(target * height * kChannels);
  ResizeColumns(picture.rgb.data(), source, height, MakeKernel(source, target), resized.rgb.data());
  return resized;
}

Picture WithHeight(Picture picture, int height) {
  if (height == picture.height) return picture;
  const size_t source = static_cast<size_t>(picture.height);
  const size_t target = static_cast<size_t>(height);
  const size_t row_bytes = static_cast<size_t>(picture.width) * kChannels;
  Picture resized{.width = picture.width, .height = height, .rgb = {}};
  resized.rgb.resize(target * row_bytes);
  ResizeRows(picture.rgb.data(), row_bytes, MakeKernel(source, target), resized.rgb.data());
  return resized;
}

// Since Pillow 13 (its pull request 9549) the pass over the rows goes first where the height
// shrinks by more than twice the pixels that the width does. Before, columns always went first.
bool RowsGoFirst(PictureSize source, PictureSize target) {
  return target.height < source.height &&
         source.height - target.height > 2 * (source.width - target.width);
}

}  // namespace

Picture ResizeBicubic(const Picture& picture, PictureSize size) {
  CHECK(picture.width > 0 && picture.height > 0 && size.width > 0 && size.height > 0);
  CHECK(picture.rgb.size() ==
        static_cast<size_t>(picture.width) * static_cast<size_t>(picture.height) * kChannels);
  if (RowsGoFirst({picture.width, picture.height}, size)) {
    return WithWidth(WithHeight(picture, size.height), size.width);
  }
  return WithHeight(WithWidth(picture, size.width), size.height);
}

Picture ResizeByRule(const Picture& picture, const SizeLimits& limits) {
  return ResizeBicubic(picture, ResizedSize({picture.width, picture.height}, limits));
}

}  // namespace bagel
