// What drawing costs on this machine.
#ifndef BAGEL_APPS_BAGEL_DRAW_BENCH_H_
#define BAGEL_APPS_BAGEL_DRAW_BENCH_H_

#include <cstdint>
#include <functional>

#include "model/bagel.h"

namespace bagel {

struct DrawShape {
  int64_t latent_tokens = 1024;  // of the picture that is moved
  int64_t text_tokens = 40;      // of its context
  int64_t decode_side = 512;     // pixels a side of the picture that is decoded
};

struct DrawTimes {
  double guided_step_ms = 0;  // a move with guidance by text: two passes in one step
  double vae_decode_ms = 0;
};

// Times one of each. Throws kInvalidArgument for a shape that does not fit the model, kCancelled as
// Bagel::Run does.
DrawTimes TimeDrawing(Bagel& model, KvPool& pool, const DrawShape& shape,
                      const std::function<bool()>& stop);

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_DRAW_BENCH_H_
