#include "ref/ref_conv.h"

#include <cmath>
#include <vector>

namespace bagel {
namespace {

// W turned to [9 * in][out], so that the innermost loop runs over outputs.
std::vector<double> TurnedWeight(const Weight& weight) {
  std::vector<double> turned(static_cast<size_t>(weight.in * weight.out));
  std::vector<float> row(static_cast<size_t>(weight.in));
  for (int64_t o = 0; o < weight.out; ++o) {
    UnpackRow(weight, o, row.data());
    for (int64_t i = 0; i < weight.in; ++i)
      turned[static_cast<size_t>(i * weight.out + o)] = row[static_cast<size_t>(i)];
  }
  return turned;
}

// act(x) of every element, [x.rows][x.cols].
std::vector<double> Activated(const Tensor& x, const Tensor& factors) {
  std::vector<double> values;
  values.reserve(static_cast<size_t>(x.rows * x.cols));
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t i = 0; i < x.cols; ++i) {
      double value = x.f32(r)[i];
      if (factors.rows > 0) {
        value = value * factors.f32(0)[i] + factors.f32(1)[i];
        value /= 1.0 + std::exp(-value);
      }
      values.push_back(value);
    }
  }
  return values;
}

// The input pixel under kernel position (dy, dx) of output pixel (row, column); false in the
// padding.
bool InputPixel(const ConvGeometry& geometry, int64_t row, int64_t column, int64_t dy, int64_t dx,
                int64_t& y, int64_t& x) {
  const bool down = geometry.sampling == ConvSampling::kDown;
  const bool up = geometry.sampling == ConvSampling::kUp;
  y = down ? 2 * row + dy : row + dy - 1;
  x = down ? 2 * column + dx : column + dx - 1;
  const int64_t factor = up ? 2 : 1;
  if (y < 0 || x < 0 || y >= factor * geometry.height || x >= factor * geometry.width) return false;
  y /= factor;
  x /= factor;
  return true;
}

}  // namespace

void RefConv2d(const Tensor& y, const Tensor& x, const Weight& weight, const ConvGeometry& geometry,
               const Tensor& factors, bool add) {
  const std::vector<double> turned = TurnedWeight(weight), values = Activated(x, factors);
  const int64_t width = geometry.OutputWidth(), in = x.cols, out = weight.out;
  std::vector<double> sums(static_cast<size_t>(out));
  for (int64_t pixel = 0; pixel < y.rows; ++pixel) {
    for (int64_t o = 0; o < out; ++o)
      sums[static_cast<size_t>(o)] =
          (weight.bias ? weight.bias[o] : 0.0) + (add ? static_cast<double>(y.f32(pixel)[o]) : 0.0);
    for (int64_t tap = 0; tap < 9; ++tap) {
      int64_t from_y = 0, from_x = 0;
      if (!InputPixel(geometry, geometry.first_output + pixel / width, pixel % width, tap / 3,
                      tap % 3, from_y, from_x))
        continue;
      const int64_t from = (from_y - geometry.first_input) * geometry.width + from_x;
      for (int64_t i = 0; i < in; ++i) {
        const double value = values[static_cast<size_t>(from * in + i)];
        const double* w = turned.data() + (tap * in + i) * out;
        for (int64_t o = 0; o < out; ++o) sums[static_cast<size_t>(o)] += value * w[o];
      }
    }
    for (int64_t o = 0; o < out; ++o)
      y.f32(pixel)[o] = static_cast<float>(sums[static_cast<size_t>(o)]);
  }
}

}  // namespace bagel
