#include "model/bagel.h"

#include <algorithm>
#include <utility>

#include "image/patches.h"
#include "image/resize.h"
#include "model/flow_head.h"
#include "model/mot.h"
#include "model/siglip.h"
#include "tensor/measuring_ops.h"

namespace bagel {
namespace {

// Fills the rows of one input: token embeddings, `start picture end`, or the latents, whose
// `leads` are the two markers.
void EmbedInput(Ops& ops, Workspace& workspace, const BagelConfig& config,
                const BagelWeights& weights, ImageMarkers markers, const StepInput& input,
                const Tensor& leads, const Tensor& rows) {
  if (input.latents != nullptr) {
    const int32_t ids[] = {markers.start, markers.end};
    ops.Embed(leads, weights.embed_tokens, ids);
    EmbedLatents(ops, workspace, weights, *input.latents, rows);
    return;
  }
  if (input.image == nullptr) {
    ops.Embed(rows, weights.embed_tokens, input.ids);
    return;
  }
  const ImagePatches& image = *input.image;
  const int64_t count = image.rows();
  ops.Embed(rows.Rows(0, 1), weights.embed_tokens, std::span(&markers.start, 1));
  ops.Embed(rows.Rows(count + 1, 1), weights.embed_tokens, std::span(&markers.end, 1));
  const Workspace::Scope scope(workspace);
  const Tensor patches = workspace.Take(DType::kF32, count, weights.vit_patch_embedding.in);
  ops.CopyToDevice(patches.data, image.values.data(), image.values.size() * sizeof(float));
  EncodeImage(ops, workspace, config, weights, patches, image.positions, rows.Rows(1, count));
}

// The rows of all inputs: the residual stream [rows, hidden] before the first layer.
Tensor EmbedInputs(Ops& ops, Workspace& workspace, const BagelConfig& config,
                   const BagelWeights& weights, ImageMarkers markers,
                   std::span<const StepInput> inputs, const StepPlan& plan,
                   const std::string& name) {
  const Tensor hidden = workspace.Take(DType::kF32, plan.step.rows(), config.llm.hidden);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Span& span = plan.step.spans[i];
    EmbedInput(ops, workspace, config, weights, markers, inputs[i],
               hidden.Rows(span.lead_row, span.lead),
               hidden.Rows(span.first_row, span.rows - span.lead));
  }
  ops.Trace(name + ".in", hidden);
  return hidden;
}

// All layers on the residual stream, in place. `drawing` has them for rows of latents.
void RunLayers(Ops& ops, Workspace& workspace, const BagelConfig& config,
               const BagelWeights& weights, LayerStream* drawing, const StepPlan& plan,
               const KvPool* pool, const Tensor& hidden, const std::string& name,
               const std::function<bool()>& stop) {
  const Workspace::Scope scope(workspace);
  const LlmConfig& llm = config.llm;
  const KvLayer no_pages{nullptr, nullptr, ops.KvType(), 0, llm.kv_heads, llm.head_dim};
  const auto take_scratch = [&] {
    return workspace.Take(DType::kU8, plan.scratch_pages, no_pages.PageBytes()).data;
  };
  void* const scratch_k = take_scratch();
  void* const scratch_v = take_scratch();
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    if (stop && stop()) throw Error(ErrorKind::kCancelled, "request canceled");
    KvLayer cache = pool ? pool->layer(static_cast<int64_t>(i)) : no_pages;
    cache.scratch_k = scratch_k;
    cache.scratch_v = scratch_v;
    const DecoderLayer& layer = drawing ? drawing->Fetch(ops, i) : weights.layers[i];
    DecoderLayerForward(ops, workspace, llm, layer, plan.route, cache, hidden);
    if (ops.tracing()) ops.Trace(name + ".layers." + std::to_string(i) + ".out", hidden);
  }
}

// The final norm and the logits [those inputs that want them, vocabulary].
void RunLogits(Ops& ops, Workspace& workspace, const BagelConfig& config,
               const BagelWeights& weights, std::span<const StepInput> inputs, const StepPlan& plan,
               const Tensor& hidden, const Tensor& logits, const std::string& name) {
  if (ops.tracing()) {
    const Workspace::Scope scope(workspace);
    const Tensor out = workspace.Take(DType::kF32, hidden.rows, config.llm.hidden);
    ops.RmsNorm(out, hidden, weights.final_norm_und, config.llm.rms_eps);
    ops.Trace(name + ".out", out);
  }

  if (logits.rows == 0) return;
  const Tensor last = workspace.Take(ops.ActivationType(), logits.rows, config.llm.hidden);
  if (logits.rows == hidden.rows) {
    const Product product{logits, &weights.lm_head};
    ops.NormLinear(std::span(&product, 1), hidden, weights.final_norm_und, config.llm.rms_eps,
                   last);
    return;
  }
  int64_t next = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Span& span = plan.step.spans[i];
    if (!inputs[i].wants_logits) continue;
    ops.RmsNorm(last.Rows(next++, 1), hidden.Rows(span.Row(span.rows - 1), 1),
                weights.final_norm_und, config.llm.rms_eps);
  }
  ops.Linear(logits, last, weights.lm_head);
}

// Whether every input is one token that wants logits: then steps differ in nothing but positions.
bool IsDecoding(std::span<const StepInput> inputs) {
  return std::all_of(inputs.begin(), inputs.end(), [](const StepInput& input) {
    return input.ids.size() == 1 && input.wants_logits;
  });
}

// The workspace of the largest step: `max_rows` rows that are one picture, and
// Bagel::kRowsBesidePicture texts of one token.
size_t MeasureWorkspace(const Ops& device, const BagelConfig& config, const BagelWeights& weights,
                        int64_t max_rows) {
  MeasuringOps ops(device);
  ImagePatches image;
  image.positions.assign(static_cast<size_t>(max_rows - 2), 0);
  const std::vector<int32_t> pages(static_cast<size_t>(max_rows / kKvPageTokens + 1));
  std::vector<StepInput> inputs = {{nullptr, {}, &image}};
  StepPlan plan{{{}, {{0, max_rows, 0, false, pages}}}, {}, 0};
  for (int64_t i = 0; i < Bagel::kRowsBesidePicture; ++i) {
    inputs.push_back({nullptr, {0}, nullptr, true});
    plan.step.spans.push_back({max_rows + i, 1, 0, true, {0}});
  }
  const int64_t rows = max_rows + Bagel::kRowsBesidePicture;
  plan.step.positions.assign(static_cast<size_t>(rows), 0);
  plan.route = {{0, rows, Expert::kUnd}};
  ops.BeginStep(plan.step);
  Workspace workspace;
  const Tensor hidden = EmbedInputs(ops, workspace, config, weights, {}, inputs, plan, "");
  RunLayers(ops, workspace, config, weights, nullptr, plan, nullptr, hidden, "", nullptr);
  const int64_t vocabulary = config.llm.vocabulary;
  const Tensor logits{nullptr, DType::kF32, Bagel::kRowsBesidePicture, vocabulary, vocabulary};
  RunLogits(ops, workspace, config, weights, inputs, plan, hidden, logits, "");
  return workspace.peak();
}

}  // namespace

ImagePatches PrepareImage(const Picture& picture, const BagelConfig& config, ThreadPool* pool) {
  const Picture for_vae = ResizeByRule(picture, config.vae_image, pool);
  const Picture resized = ResizeByRule(for_vae, config.vit_image, pool);
  const int patch = static_cast<int>(config.vit.patch);
  return {PatchRows(resized, patch, pool),
          PatchPositions(resized.height / patch, resized.width / patch,
                         static_cast<int>(config.vit.max_patches_per_side))};
}

VaePixels PreparePixels(const Picture& picture, const BagelConfig& config) {
  const Picture resized = ResizeByRule(picture, config.vae_image);
  return {PatchRows(resized, 1), {resized.width, resized.height}};
}

Bagel::Bagel(Ops& ops, const BagelConfig& config, const BagelWeights& weights, ImageMarkers markers,
             int64_t max_rows)
    : markers_(markers),
      config_(config),
      ops_(ops),
      weights_(weights),
      drawing_layers_(ops, weights) {
  base_bytes_ = MeasureWorkspace(ops, config, weights, max_rows);
  GrowWorkspace(base_bytes_);
}

size_t Bagel::WorkspaceBytes(const Ops& ops, const BagelConfig& config, int64_t max_rows) {
  return MeasureWorkspace(ops, config, WeightShapes(config), max_rows);
}

Bagel::~Bagel() {
  ops_.Free(workspace_memory_);
  ops_.Free(device_logits_);
  ops_.FreeHost(best_);
  ops_.FreeHost(results_.data());
}

std::span<float> Bagel::TakeResults(size_t count) {
  if (results_.size() < count) {
    ops_.FreeHost(results_.data());
    results_ = {};
    results_ = {static_cast<float*>(ops_.AllocateHost(count * sizeof(float))), count};
  }
  return results_.first(count);
}

Tensor Bagel::TakeLogits(int64_t rows) {
  const int64_t vocabulary = config_.llm.vocabulary;
  if (!ops_.FindsBest()) {
    float* data = TakeResults(static_cast<size_t>(rows * vocabulary)).data();
    return {data, DType::kF32, rows, vocabulary, vocabulary};
  }
  if (logits_room_ < rows) {
    ops_.Free(std::exchange(device_logits_, nullptr));
    ops_.FreeHost(std::exchange(best_, nullptr));
    logits_room_ = 0;
    device_logits_ = ops_.Allocate(static_cast<size_t>(rows * vocabulary) * sizeof(float));
    best_ =
        static_cast<BestValues*>(ops_.AllocateHost(static_cast<size_t>(rows) * sizeof(BestValues)));
    logits_room_ = rows;
  }
  return {device_logits_, DType::kF32, rows, vocabulary, vocabulary};
}

std::span<const float> Bagel::Logits() {
  const auto count = static_cast<size_t>(logits_.rows * logits_.cols);
  if (!ops_.FindsBest()) return results_.first(count);
  const std::span<float> host = TakeResults(count);
  ops_.CopyToHost(host.data(), logits_.data, host.size_bytes());
  return host;
}

void Bagel::GrowWorkspace(size_t bytes) {
  if (bytes <= workspace_bytes_) return;
  ops_.Free(workspace_memory_);
  workspace_memory_ = nullptr;
  workspace_bytes_ = 0;
  workspace_memory_ = ops_.Allocate(bytes);
  workspace_bytes_ = bytes;
}

void Bagel::ReleaseDrawing() {
  drawing_layers_.Release();
  if (workspace_bytes_ <= base_bytes_) return;
  ops_.Free(workspace_memory_);
  workspace_memory_ = nullptr;
  workspace_bytes_ = 0;
  GrowWorkspace(base_bytes_);
}

template <typename Body>
void Bagel::RunInWorkspace(const Body& body) {
  MeasuringOps measuring(ops_);
  Workspace dry;
  body(measuring, dry);
  GrowWorkspace(std::max(dry.peak(), base_bytes_));
  Workspace workspace(workspace_memory_, workspace_bytes_);
  body(ops_, workspace);
}

std::span<const float> Bagel::Run(std::span<const StepInput> inputs, const KvPool& pool,
                                  const std::string& name, const std::function<bool()>& stop) {
  RunForBest(inputs, pool, name, stop);
  return Logits();
}

std::span<const BestValues> Bagel::RunForBest(std::span<const StepInput> inputs, const KvPool& pool,
                                              const std::string& name,
                                              const std::function<bool()>& stop) {
  bool latents = false;
  for (const StepInput& input : inputs) {
    CHECK(input.keep && (!input.wants_logits || (!input.image && !input.latents)));
    latents = latents || input.latents;
  }
  const StepPlan plan = PlanStep(inputs, pool.pages());
  const int64_t wanted = std::count_if(inputs.begin(), inputs.end(),
                                       [](const StepInput& input) { return input.wants_logits; });
  logits_ = TakeLogits(wanted);
  const auto body = [&](Ops& ops, Workspace& workspace) {
    ops.BeginStep(plan.step);
    const Tensor hidden =
        EmbedInputs(ops, workspace, config_, weights_, markers_, inputs, plan, name);
    const auto run = [&] {
      RunLayers(ops, workspace, config_, weights_, latents ? &drawing_layers_ : nullptr, plan,
                &pool, hidden, name, stop);
      RunLogits(ops, workspace, config_, weights_, inputs, plan, hidden, logits_, name);
      if (ops.FindsBest()) ops.FindBest(best_, logits_);
    };
    if (IsDecoding(inputs) && !ops.tracing())
      ops.Replay({workspace_memory_, &pool, hidden.rows}, run);
    else
      run();
    ops.Wait();
  };
  if (latents) {
    drawing_layers_.Reserve();
    RunInWorkspace(body);
  } else {
    Workspace workspace(workspace_memory_, workspace_bytes_);
    body(ops_, workspace);
  }
  for (const StepInput& input : inputs)
    input.context->Advance(input.rows(), input.image || input.latents ? 1 : input.rows());
  if (!ops_.FindsBest()) return {};
  return {best_, static_cast<size_t>(wanted)};
}

std::span<const float> Bagel::Velocity(std::span<const StepInput> inputs, const KvPool& pool,
                                       std::span<TaylorHistory* const> histories,
                                       std::span<const int64_t> distances,
                                       const std::function<bool()>& stop) {
  for (const StepInput& input : inputs) CHECK(input.latents && !input.keep);
  CHECK(histories.empty() || histories.size() == inputs.size());
  CHECK(histories.size() == distances.size());
  const StepPlan plan = PlanStep(inputs, pool.pages());
  std::span<float> found;
  drawing_layers_.Reserve();
  RunInWorkspace([&](Ops& ops, Workspace& workspace) {
    ops.BeginStep(plan.step);
    const Tensor hidden =
        EmbedInputs(ops, workspace, config_, weights_, markers_, inputs, plan, "velocity");
    RunLayers(ops, workspace, config_, weights_, &drawing_layers_, plan, &pool, hidden, "velocity",
              stop);
    for (size_t i = 0; i < histories.size(); ++i) {
      const Span& span = plan.step.spans[i];
      histories[i]->Record(ops, workspace, hidden.Rows(span.first_row, span.rows - span.lead),
                           distances[i]);
    }
    const int64_t first = plan.step.spans[0].first_row;
    const Tensor velocity =
        VelocityHead(ops, workspace, config_, weights_, hidden.Rows(first, hidden.rows - first));
    found = TakeResults(static_cast<size_t>(velocity.rows * velocity.cols));
    ops.CopyToHost(found.data(), velocity.data, found.size_bytes());
  });
  return found;
}

std::vector<float> Bagel::Extrapolate(const TaylorHistory& history, int64_t steps) {
  std::vector<float> velocities(static_cast<size_t>(history.rows() * config_.latent.TokenSize()));
  RunInWorkspace([&](Ops& ops, Workspace& workspace) {
    const Tensor hidden = workspace.Take(DType::kF32, history.rows(), history.cols());
    history.Extrapolate(ops, hidden, steps);
    const Tensor velocity = VelocityHead(ops, workspace, config_, weights_, hidden);
    ops.CopyToHost(velocities.data(), velocity.data, velocities.size() * sizeof(float));
  });
  return velocities;
}

std::vector<float> Bagel::EncodePixels(std::span<const float> pixels, int64_t height, int64_t width,
                                       const std::function<bool()>& stop) {
  const int64_t factor = config_.vae.Downsample(), channels = 2 * config_.latent.channels;
  std::vector<float> moments(static_cast<size_t>(height / factor * (width / factor) * channels));
  RunInWorkspace([&](Ops& ops, Workspace& workspace) {
    VaeEncode(ops, workspace, config_.vae, weights_.encoder, pixels, height, width, moments, stop);
  });
  return moments;
}

std::vector<float> Bagel::DecodeLatents(std::span<const float> latents, int64_t height,
                                        int64_t width, const VaeBands& bands,
                                        const std::function<bool()>& stop) {
  const int64_t factor = config_.vae.Downsample();
  std::vector<float> pixels(static_cast<size_t>(height * factor * width * factor * 3));
  RunInWorkspace([&](Ops& ops, Workspace& workspace) {
    VaeDecode(ops, workspace, config_.vae, weights_.decoder, latents, height, width, bands, pixels,
              stop);
  });
  return pixels;
}

}  // namespace bagel
