// What drawing costs on this machine, step by step.
#ifndef BAGEL_APPS_BAGEL_DRAW_BENCH_H_
#define BAGEL_APPS_BAGEL_DRAW_BENCH_H_

#include <cstdint>
#include <functional>

#include "model/bagel.h"

namespace bagel {

struct DrawShape {
  int64_t latent_tokens = 1024;  // of the picture that is moved
  int64_t text_tokens = 40;      // of its context
  int64_t cached_tokens = 0;     // of the context of a single pass; 0 = none is timed
  int64_t pixel_side = 512;      // of the picture that the autoencoder encodes and decodes
};

struct DrawTimes {
  double guided_step_ms = 0;  // a move with guidance by text: two passes in one step
  double pass_ms = 0;         // one pass over cached_tokens
  double vae_decode_ms = 0;
  double vae_encode_ms = 0;
};

// Times one of each. Throws kInvalidArgument for a shape that does not fit the model, kCancelled as
// Bagel::Run does.
DrawTimes TimeDrawing(Bagel& model, KvPool& pool, const DrawShape& shape,
                      const std::function<bool()>& stop);

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_DRAW_BENCH_H_
