#include "draw_bench.h"

#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "bench_time.h"
#include "image/patches.h"

namespace bagel {
namespace {

std::vector<float> MakeLatents(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = std::sin(static_cast<float>(i % 4096) * 0.7f);
  return values;
}

// The side of the square of latent tokens.
int64_t LatentSide(const DrawShape& shape, const BagelConfig& config) {
  const auto side = static_cast<int64_t>(std::sqrt(static_cast<double>(shape.latent_tokens)));
  if (side * side != shape.latent_tokens || side > config.latent.max_size)
    throw Error(ErrorKind::kInvalidArgument,
                std::to_string(shape.latent_tokens) + " latent tokens are no square of at most " +
                    std::to_string(config.latent.max_size) + " a side");
  if (shape.pixel_side % config.vae.Downsample() != 0)
    throw Error(ErrorKind::kInvalidArgument, "a picture of " + std::to_string(shape.pixel_side) +
                                                 " pixels a side is no multiple of " +
                                                 std::to_string(config.vae.Downsample()));
  return side;
}

}  // namespace

DrawTimes TimeDrawing(Bagel& model, KvPool& pool, const DrawShape& shape,
                      const std::function<bool()>& stop) {
  const BagelConfig& config = model.config();
  const int64_t side = LatentSide(shape, config);
  Context full(pool), no_text(pool), cached(pool);
  const auto read = [&](Context& context, int64_t tokens) {
    const StepInput text{&context, std::vector<int32_t>(static_cast<size_t>(tokens), 1)};
    if (tokens > 0) model.Run(std::span(&text, 1), pool, "bench", stop);
  };
  read(full, shape.text_tokens);
  read(cached, shape.cached_tokens);

  const std::vector<float> values = MakeLatents(shape.latent_tokens * config.latent.TokenSize());
  const std::vector<int32_t> positions = PatchPositions(
      static_cast<int>(side), static_cast<int>(side), static_cast<int>(config.latent.max_size));
  const LatentTokens latents{values, positions, 0.5f};
  const auto pass = [&](Context& context) {
    return StepInput{&context, {}, nullptr, false, &latents, false};
  };
  const auto time_passes = [&](const std::vector<StepInput>& passes) {
    return Time([&] { model.Velocity(passes, pool, {}, {}, stop); });
  };
  DrawTimes times;
  times.guided_step_ms = time_passes({pass(full), pass(no_text)});
  if (shape.cached_tokens > 0) times.pass_ms = time_passes({pass(cached)});

  const int64_t small = shape.pixel_side / config.vae.Downsample();
  const std::vector<float> picture = MakeLatents(small * small * config.latent.channels);
  const std::vector<float> pixels = MakeLatents(shape.pixel_side * shape.pixel_side * 3);
  times.vae_decode_ms = Time([&] { model.DecodeLatents(picture, small, small); });
  times.vae_encode_ms =
      Time([&] { model.EncodePixels(pixels, shape.pixel_side, shape.pixel_side); });
  return times;
}

}  // namespace bagel
