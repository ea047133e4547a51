#include "image/sizes.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"

namespace bagel {
namespace {

constexpr int kMaxSide = 65535;

// Python's round(): halves go to the even neighbour, whatever the rounding mode.
double RoundHalfToEven(double value) {
  const double below = std::floor(value);
  const double rest = value - below;
  if (rest != 0.5) return rest < 0.5 ? below : below + 1;
  return std::fmod(below, 2) == 0 ? below : below + 1;
}

struct Sides {
  double width;
  double height;
};

double ScaledSide(double side, double scale, double stride) {
  return std::max(stride, RoundHalfToEven(RoundHalfToEven(side * scale) / stride) * stride);
}

Sides Scaled(Sides sides, double scale, double stride) {
  return {ScaledSide(sides.width, scale, stride), ScaledSide(sides.height, scale, stride)};
}

}  // namespace

void CheckSizeLimits(const SizeLimits& limits, const char* where) {
  const bool positive = limits.stride > 0 && limits.min_side > 0 && limits.max_pixels > 0;
  if (!positive || limits.max_side < std::max(limits.min_side, limits.stride) ||
      limits.max_side > kMaxSide + 1) {
    throw Error(ErrorKind::kInvalidArgument,
                std::string(where) + ": stride " + std::to_string(limits.stride) + ", max " +
                    std::to_string(limits.max_side) + ", min " + std::to_string(limits.min_side) +
                    " and max_pixels " + std::to_string(limits.max_pixels) +
                    " are no usable picture limits: all positive, max from min and stride to " +
                    std::to_string(kMaxSide + 1));
  }
}

PictureSize ResizedSize(PictureSize source, const SizeLimits& limits) {
  if (std::min(source.width, source.height) < 1 ||
      std::max(source.width, source.height) > kMaxSide) {
    throw Error(ErrorKind::kInvalidArgument, "a picture of " + std::to_string(source.width) + "x" +
                                                 std::to_string(source.height) +
                                                 " cannot be resized, expected sides of 1 to " +
                                                 std::to_string(kMaxSide));
  }
  const double stride = limits.stride;
  const double max_side = limits.max_side;
  const double max_pixels = static_cast<double>(limits.max_pixels);
  Sides sides = {static_cast<double>(source.width), static_cast<double>(source.height)};
  double scale = std::min(max_side / std::max(sides.width, sides.height), 1.0);
  scale = std::max(scale, limits.min_side / std::min(sides.width, sides.height));
  sides = Scaled(sides, scale, stride);
  // The scale is the ratio of the pixels, not its square root: as in the reference.
  const double pixels = sides.width * sides.height;
  if (pixels > max_pixels) sides = Scaled(sides, max_pixels / pixels, stride);
  const double longest = std::max(sides.width, sides.height);
  if (longest > max_side) sides = Scaled(sides, max_side / longest, stride);
  return {static_cast<int>(sides.width), static_cast<int>(sides.height)};
}

}  // namespace bagel
