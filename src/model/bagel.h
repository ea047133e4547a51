// BAGEL as one forward: texts and pictures in, logits out. Composes the vision encoder, the
// connector and the decoder; knows contexts, not requests.
#ifndef BAGEL_MODEL_BAGEL_H_
#define BAGEL_MODEL_BAGEL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/picture.h"
#include "model/config.h"
#include "model/kv_cache.h"
#include "model/weights.h"
#include "tensor/ops.h"
#include "tensor/workspace.h"

namespace bagel {

// The tokens that mark the begin and the end of a picture block.
struct ImageMarkers {
  int32_t start = 0;
  int32_t end = 0;
};

// A picture as the vision encoder takes it.
struct ImagePatches {
  std::vector<float> values;       // [rows, 3 * patch * patch], see image/patches.h
  std::vector<int32_t> positions;  // [rows]
  int64_t rows() const { return static_cast<int64_t>(positions.size()); }
};

// Both resizes and the cut into patches, as BAGEL does for understanding. Throws kInvalidArgument
// or kTooLarge for sizes that the rules cannot take.
ImagePatches PrepareImage(const Picture& picture, const BagelConfig& config);

// What one context takes in during a step: either text tokens (causal, one rope position each) or
// one picture block `start patches end` (all rows see each other and share one rope position).
struct StepInput {
  Context* context = nullptr;
  std::vector<int32_t> ids;
  const ImagePatches* image = nullptr;
  bool wants_logits = false;  // of the last row; text only

  int64_t rows() const { return image ? image->rows() + 2 : static_cast<int64_t>(ids.size()); }
};

class Bagel {
 public:
  // `ops` and `weights` must outlive it. `max_rows` is the largest step that will be asked for; the
  // memory for it is taken here. Throws kOutOfMemory.
  Bagel(Ops& ops, const BagelConfig& config, const BagelWeights& weights, ImageMarkers markers,
        int64_t max_rows);
  ~Bagel();

  const BagelConfig& config() const { return config_; }
  size_t workspace_bytes() const { return workspace_bytes_; }

  // Runs `inputs` through the layers together and stores their keys and values; every context, all
  // of them of `pool`, grows by its rows. Returns the logits [inputs that want them, vocabulary] in
  // input order, valid until the next call. `stop`, when given, is asked before every layer: true
  // throws kCancelled and leaves the contexts as they were. `name` names the step's traced stages.
  // Ids must be in [0, vocabulary).
  std::span<const float> Run(std::span<const StepInput> inputs, const KvPool& pool,
                             const std::string& name = "step",
                             const std::function<bool()>& stop = nullptr);

 private:
  ImageMarkers markers_;
  BagelConfig config_;
  Ops& ops_;
  const BagelWeights& weights_;
  size_t workspace_bytes_ = 0;
  void* workspace_memory_ = nullptr;
  std::vector<float> logits_;
};

}  // namespace bagel

#endif  // BAGEL_MODEL_BAGEL_H_
