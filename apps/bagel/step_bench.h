// What single steps of a model cost on this machine, beside what the machine can do.
#ifndef BAGEL_APPS_BAGEL_STEP_BENCH_H_
#define BAGEL_APPS_BAGEL_STEP_BENCH_H_

#include <cstdint>

#include "draw_bench.h"
#include "formats/json.h"
#include "model_option.h"

namespace bagel {

struct StepShape {
  int64_t image_tokens = 1400;  // of a picture that is read first
  int64_t text_tokens = 40;     // read after it
  int64_t prefill_tokens = 0;   // of a text that is read alone, in one step; 0 = none
  int64_t decode_context = 0;   // tokens before the first that is decoded; 0 = those read so far
  int64_t decode_tokens = 32;
  DrawShape draw;  // no latent tokens: drawing is not timed
};

// Loads the model and times each step `rounds` times after one that does not count; the report
// holds medians. Throws kInvalidArgument for shapes that do not fit the model, and kCancelled when
// interrupted.
Json RunStepBench(const ModelOptions& options, const StepShape& shape, int rounds);

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_STEP_BENCH_H_
