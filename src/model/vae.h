// The FLUX.1 autoencoder: pictures to latents and back, in the memory of two planes, which are of
// the device's activation type.
#ifndef BAGEL_MODEL_VAE_H_
#define BAGEL_MODEL_VAE_H_

#include <cstdint>
#include <functional>
#include <span>

#include "model/config.h"
#include "model/weights.h"
#include "tensor/ops.h"
#include "tensor/workspace.h"

namespace bagel {

// How a picture is decoded that is too large to be enlarged as a whole.
struct VaeBands {
  int64_t pixels = 16384;  // of one band, rounded down to rows, at least one
  // Values that an enlarged picture and the two planes that its first block makes of it may have
  // together. Beyond that they take its place, band by band.
  int64_t whole_values = int64_t{1} << 28;
};

// Pixels [height * width, 3], -1 to 1 -> moments [latent pixels, 2 * latent channels]: the means,
// then the log variances. Sides are multiples of Downsample(). The buffers are host memory. `stop`,
// when given, is asked before every large convolution or band: true throws kCancelled.
void VaeEncode(Ops& ops, Workspace& workspace, const VaeConfig& config, const VaeCoder& encoder,
               std::span<const float> pixels, int64_t height, int64_t width,
               std::span<float> moments, const std::function<bool()>& stop = nullptr);

// Latents [height * width, latent channels], already unscaled -> pixels [.., 3], about -1 to 1, of
// Downsample() times the sides. Nothing is computed twice, and statistics of a GroupNorm are those
// of the whole picture, so bands change the result by rounding alone.
void VaeDecode(Ops& ops, Workspace& workspace, const VaeConfig& config, const VaeCoder& decoder,
               std::span<const float> latents, int64_t height, int64_t width, const VaeBands& bands,
               std::span<float> pixels, const std::function<bool()>& stop = nullptr);

}  // namespace bagel

#endif  // BAGEL_MODEL_VAE_H_
