#include "image/latents.h"

#include <algorithm>
#include <cstddef>

#include "base/error.h"

namespace bagel {
namespace {

// Calls body(pixel, place): where a latent pixel lies among the pixels and among the tokens'
// pixels.
template <typename Body>
void ForPixels(const LatentGrid& grid, const Body& body) {
  const int64_t width = grid.columns * grid.patch;
  for (int64_t y = 0; y < grid.rows * grid.patch; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const int64_t token = y / grid.patch * grid.columns + x / grid.patch;
      body(y * width + x, (token * grid.patch + y % grid.patch) * grid.patch + x % grid.patch);
    }
  }
}

}  // namespace

std::vector<float> ToTokens(const LatentGrid& grid, std::span<const float> pixels) {
  std::vector<float> tokens(pixels.size());
  ForPixels(grid, [&](int64_t pixel, int64_t place) {
    std::copy_n(pixels.data() + pixel * grid.channels, grid.channels,
                tokens.data() + place * grid.channels);
  });
  return tokens;
}

std::vector<float> FromTokens(const LatentGrid& grid, std::span<const float> tokens) {
  std::vector<float> pixels(tokens.size());
  ForPixels(grid, [&](int64_t pixel, int64_t place) {
    std::copy_n(tokens.data() + place * grid.channels, grid.channels,
                pixels.data() + pixel * grid.channels);
  });
  return pixels;
}

std::vector<float> AverageLatents(std::span<const float> pixels, int64_t height, int64_t width,
                                  int64_t channels, int64_t side) {
  CHECK(height % side == 0 && width % side == 0);
  std::vector<float> averages(pixels.size() / static_cast<size_t>(side * side));
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const float* from = pixels.data() + (y * width + x) * channels;
      float* to = averages.data() + (y / side * (width / side) + x / side) * channels;
      for (int64_t c = 0; c < channels; ++c) to[c] += from[c] / static_cast<float>(side * side);
    }
  }
  return averages;
}

Picture ToPicture(std::span<const float> pixels, int64_t height, int64_t width) {
  CHECK(static_cast<int64_t>(pixels.size()) == height * width * 3);
  Picture picture{static_cast<int>(width), static_cast<int>(height), {}};
  picture.rgb.reserve(pixels.size());
  for (const float value : pixels) {
    // The first bound turns NaN into black.
    const float bounded = std::min(1.0f, std::max(0.0f, value * 0.5f + 0.5f));
    picture.rgb.push_back(static_cast<uint8_t>(bounded * 255.0f));
  }
  return picture;
}

}  // namespace bagel
