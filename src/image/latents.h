// Latents as pixels of the autoencoder and as tokens of the decoder; velocities' pictures.
#ifndef BAGEL_IMAGE_LATENTS_H_
#define BAGEL_IMAGE_LATENTS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "formats/picture.h"

namespace bagel {

// The grid of a picture's latent tokens; a token holds patch x patch latent pixels.
struct LatentGrid {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t patch = 2;
  int64_t channels = 16;
};

// Latent pixels [rows * patch * columns * patch, channels] -> tokens [rows * columns, patch * patch
// * channels], order in a token: row, column, channel; and back.
std::vector<float> ToTokens(const LatentGrid& grid, std::span<const float> pixels);
std::vector<float> FromTokens(const LatentGrid& grid, std::span<const float> tokens);

// Latent pixels [height * width, channels], averaged over squares of side x side.
std::vector<float> AverageLatents(std::span<const float> pixels, int64_t height, int64_t width,
                                  int64_t channels, int64_t side);

// Pixels [height * width, 3] -> x * 0.5 + 0.5, clamped to 0..1, * 255, cut to 8 bits.
Picture ToPicture(std::span<const float> pixels, int64_t height, int64_t width);

}  // namespace bagel

#endif  // BAGEL_IMAGE_LATENTS_H_
