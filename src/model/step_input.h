// What one context takes in during a step.
#ifndef BAGEL_MODEL_STEP_INPUT_H_
#define BAGEL_MODEL_STEP_INPUT_H_

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/uninitialised.h"
#include "model/config.h"
#include "model/kv_cache.h"
#include "model/mot.h"
#include "tensor/step.h"

namespace bagel {

// The tokens that mark the begin and the end of a picture block.
struct ImageMarkers {
  int32_t start = 0;
  int32_t end = 0;
};

// A picture as the vision encoder takes it.
struct ImagePatches {
  UninitialisedVector<float> values;  // [rows, 3 * patch * patch], see image/patches.h
  std::vector<int32_t> positions;     // [rows]
  int64_t rows() const { return static_cast<int64_t>(positions.size()); }
};

// A picture as the autoencoder sees it, with or without noise.
struct LatentTokens {
  std::span<const float> values;       // [rows, token size], order in a token: row, column, channel
  std::span<const int32_t> positions;  // [rows], into the table of latent positions
  float time = 0;                      // 1 = noise, 0 = picture
  int64_t rows() const { return static_cast<int64_t>(positions.size()); }
};

// One of: text tokens (causal, one rope position each); a picture block `start patches end`; a
// block `start end latents`. All rows of a block see each other and share one rope position, so the
// markers' place does not matter: before the latents they leave each expert one range of rows.
struct StepInput {
  Context* context = nullptr;
  std::vector<int32_t> ids;
  const ImagePatches* image = nullptr;
  bool wants_logits = false;  // of the last row; text only
  const LatentTokens* latents = nullptr;
  bool keep = true;  // false: the context stays as it was; latents only

  int64_t rows() const {
    if (latents) return latents->rows() + 2;
    return image ? image->rows() + 2 : static_cast<int64_t>(ids.size());
  }
};

// A step with all that its layers need to know.
struct StepPlan {
  Step step;
  Route route;
  int64_t scratch_pages = 0;  // pages of keys and values that end with each layer
};

// Where every row of the step stands, with room made in the contexts that keep theirs. Inputs of
// one context follow one another in it; no two of them are single rows. The markers of all latents
// come first. `kept_pages` is the pool's number of pages.
StepPlan PlanStep(std::span<const StepInput> inputs, int64_t kept_pages);

}  // namespace bagel

#endif  // BAGEL_MODEL_STEP_INPUT_H_
