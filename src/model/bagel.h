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

#include "base/thread_pool.h"
#include "base/uninitialised.h"
#include "formats/picture.h"
#include "model/config.h"
#include "model/kv_cache.h"
#include "model/layer_stream.h"
#include "model/step_input.h"
#include "model/taylor_history.h"
#include "model/vae.h"
#include "model/weights.h"
#include "tensor/ops.h"
#include "tensor/workspace.h"

namespace bagel {

// Both resizes and the cut into patches, as BAGEL does for understanding; `pool`, where given,
// shares the work. Throws kInvalidArgument or kTooLarge for sizes that the rules cannot take.
ImagePatches PrepareImage(const Picture& picture, const BagelConfig& config,
                          ThreadPool* pool = nullptr);

// Resize A and the cut into rows of pixels [height * width, 3], -1 to 1, as BAGEL does for editing.
struct VaePixels {
  UninitialisedVector<float> values;
  PictureSize size;
};
VaePixels PreparePixels(const Picture& picture, const BagelConfig& config);

class Bagel {
 public:
  // As many one-token texts that want logits, or rows of one short text, fit into the workspace
  // beside the largest picture.
  static constexpr int64_t kRowsBesidePicture = 64;

  // `ops` and `weights` must outlive it. `max_rows` is the largest step that will be asked for,
  // kRowsBesidePicture not counted; the memory for it is taken here. Throws kOutOfMemory.
  Bagel(Ops& ops, const BagelConfig& config, const BagelWeights& weights, ImageMarkers markers,
        int64_t max_rows);
  ~Bagel();

  // The memory for steps of `max_rows` on a device like `ops`.
  static size_t WorkspaceBytes(const Ops& ops, const BagelConfig& config, int64_t max_rows);

  const BagelConfig& config() const { return config_; }
  size_t workspace_bytes() const { return workspace_bytes_; }

  // The workspace of texts and pictures to look at is there from the start; drawing makes it grow
  // where it needs more, and may fetch layers to the device. At its end this gives all that back.
  void ReleaseDrawing();

  // Runs `inputs` through the layers together and stores their keys and values; every context, all
  // of them of `pool`, grows by its rows. Returns the logits [inputs that want them, vocabulary] in
  // input order, valid until the next Run or Velocity. `stop`, when given, is asked before every
  // layer: true throws kCancelled and leaves the contexts as they were. `name` names the step's
  // traced stages. Ids must be in [0, vocabulary).
  std::span<const float> Run(std::span<const StepInput> inputs, const KvPool& pool,
                             const std::string& name = "step",
                             const std::function<bool()>& stop = nullptr);
  // The same, but where logits lie far from the host it returns the best of each row; elsewhere
  // nothing, and Logits has them.
  std::span<const BestValues> RunForBest(std::span<const StepInput> inputs, const KvPool& pool,
                                         const std::string& name = "step",
                                         const std::function<bool()>& stop = nullptr);
  // What the last Run or RunForBest would return or returned, until the next of them or Velocity.
  std::span<const float> Logits();

  // Latents that are not kept, one input for each guidance pass: returns their velocities [rows of
  // all inputs' latents, token size] in input order, valid until the next Run or Velocity.
  // histories[i], where there is one, records input i's output with distances[i], see
  // TaylorHistory. Throws kCancelled as Run does.
  std::span<const float> Velocity(std::span<const StepInput> inputs, const KvPool& pool,
                                  std::span<TaylorHistory* const> histories = {},
                                  std::span<const int64_t> distances = {},
                                  const std::function<bool()>& stop = nullptr);
  // The velocities [rows, token size] that a history foretells for `steps` after its last output.
  std::vector<float> Extrapolate(const TaylorHistory& history, int64_t steps);

  // The autoencoder: pixels -> the mean and the log variance [latent pixels, 2 * channels] of the
  // posterior; latent pixels [height * width, channels] -> pixels [.., 3], about -1 to 1. Sizes are
  // of the input, `stop` as in Run. Reference: modeling/autoencoder.py.
  std::vector<float> EncodePixels(std::span<const float> pixels, int64_t height, int64_t width,
                                  const std::function<bool()>& stop = nullptr);
  std::vector<float> DecodeLatents(std::span<const float> latents, int64_t height, int64_t width,
                                   const VaeBands& bands = {},
                                   const std::function<bool()>& stop = nullptr);

 private:
  void GrowWorkspace(size_t bytes);
  // Memory for the logits of so many inputs and, where FindsBest says so, for the best of them.
  Tensor TakeLogits(int64_t rows);
  // Host memory for as many values, which ops can write, until the next call.
  std::span<float> TakeResults(size_t count);
  // Runs `body(ops, workspace)` once to measure it and once for good.
  template <typename Body>
  void RunInWorkspace(const Body& body);

  ImageMarkers markers_;
  BagelConfig config_;
  Ops& ops_;
  const BagelWeights& weights_;
  LayerStream drawing_layers_;
  size_t base_bytes_ = 0;  // of the workspace without drawing
  size_t workspace_bytes_ = 0;
  void* workspace_memory_ = nullptr;
  std::span<float> results_;  // Ops::AllocateHost's
  Tensor logits_;  // of the last step, in results_ or, where ops find the best, on the device
  int64_t logits_room_ = 0;  // rows that were allocated on the device
  void* device_logits_ = nullptr;
  BestValues* best_ = nullptr;  // Ops::AllocateHost's, logits_room_ of them
};

}  // namespace bagel

#endif  // BAGEL_MODEL_BAGEL_H_
