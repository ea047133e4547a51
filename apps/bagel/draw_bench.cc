#include "draw_bench.h"

#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "image/patches.h"

namespace bagel {
namespace {

std::vector<float> MakeLatents(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = std::sin(static_cast<float>(i % 4096) * 0.7f);
  return values;
}

template <typename Body>
double Time(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

DrawTimes TimeDrawing(Bagel& model, KvPool& pool, const DrawShape& shape,
                      const std::function<bool()>& stop) {
  const BagelConfig& config = model.config();
  const auto side = static_cast<int64_t>(std::sqrt(static_cast<double>(shape.latent_tokens)));
  if (side * side != shape.latent_tokens || side > config.latent.max_size ||
      shape.decode_side % config.vae.Downsample() != 0)
    throw Error(ErrorKind::kInvalidArgument,
                std::to_string(shape.latent_tokens) + " latent tokens are no square of at most " +
                    std::to_string(config.latent.max_size) + " a side, or a picture of " +
                    std::to_string(shape.decode_side) + " is no multiple of " +
                    std::to_string(config.vae.Downsample()));
  Context full(pool), no_text(pool);
  const StepInput text{&full, std::vector<int32_t>(static_cast<size_t>(shape.text_tokens), 1)};
  model.Run(std::span(&text, 1), pool, "bench", stop);

  const std::vector<float> values = MakeLatents(shape.latent_tokens * config.latent.TokenSize());
  const std::vector<int32_t> positions = PatchPositions(
      static_cast<int>(side), static_cast<int>(side), static_cast<int>(config.latent.max_size));
  const LatentTokens latents{values, positions, 0.5f};
  const std::vector<StepInput> passes = {{&full, {}, nullptr, false, &latents, false},
                                         {&no_text, {}, nullptr, false, &latents, false}};
  DrawTimes times;
  times.guided_step_ms = Time([&] { model.Velocity(passes, pool, {}, {}, stop); });
  const int64_t small = shape.decode_side / config.vae.Downsample();
  const std::vector<float> picture = MakeLatents(small * small * config.latent.channels);
  times.vae_decode_ms = Time([&] { model.DecodeLatents(picture, small, small); });
  return times;
}

}  // namespace bagel
