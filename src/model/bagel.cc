#include "model/bagel.h"

#include <algorithm>

#include "image/patches.h"
#include "image/resize.h"
#include "model/mot.h"
#include "model/siglip.h"
#include "tensor/measuring_ops.h"

namespace bagel {
namespace {

// Where every row of the step stands, with room made in the contexts.
Step PlanStep(std::span<const StepInput> inputs) {
  Step step;
  for (const StepInput& input : inputs) {
    Context& context = *input.context;
    context.Reserve(input.rows());
    step.spans.push_back(
        {step.rows(), input.rows(), context.length(), input.image == nullptr, context.pages()});
    for (int64_t r = 0; r < input.rows(); ++r)
      step.positions.push_back(static_cast<int32_t>(context.rope() + (input.image ? 0 : r)));
  }
  return step;
}

// Fills the rows of one input: token embeddings, or `start picture end`.
void EmbedInput(Ops& ops, Workspace& workspace, const BagelConfig& config,
                const BagelWeights& weights, ImageMarkers markers, const StepInput& input,
                const Tensor& rows) {
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

// The layers and, for the inputs that want them, the logits: returns [wanted, vocabulary] on the
// device, in `workspace`.
Tensor RunLayers(Ops& ops, Workspace& workspace, const BagelConfig& config,
                 const BagelWeights& weights, ImageMarkers markers,
                 std::span<const StepInput> inputs, const KvPool* pool, const std::string& name,
                 const std::function<bool()>& stop) {
  const int64_t rows = ops.step().rows();
  const Tensor hidden = workspace.Take(DType::kF32, rows, config.llm.hidden);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Span& span = ops.step().spans[i];
    EmbedInput(ops, workspace, config, weights, markers, inputs[i],
               hidden.Rows(span.first_row, span.rows));
  }
  ops.Trace(name + ".in", hidden);

  for (size_t i = 0; i < weights.layers.size(); ++i) {
    if (stop && stop()) throw Error(ErrorKind::kCancelled, "request canceled");
    const KvLayer cache =
        pool ? pool->layer(static_cast<int64_t>(i))
             : KvLayer{nullptr, nullptr, ops.KvType(), 0, config.llm.kv_heads, config.llm.head_dim};
    DecoderLayerForward(ops, workspace, config.llm, weights.layers[i], cache, hidden);
    if (ops.tracing()) ops.Trace(name + ".layers." + std::to_string(i) + ".out", hidden);
  }
  if (ops.tracing()) {
    const Workspace::Scope scope(workspace);
    const Tensor out = workspace.Take(DType::kF32, rows, config.llm.hidden);
    ops.RmsNorm(out, hidden, weights.final_norm_und, config.llm.rms_eps);
    ops.Trace(name + ".out", out);
  }

  const int64_t wanted = std::count_if(inputs.begin(), inputs.end(),
                                       [](const StepInput& input) { return input.wants_logits; });
  const Tensor last = workspace.Take(ops.ActivationType(), wanted, config.llm.hidden);
  const Tensor logits = workspace.Take(DType::kF32, wanted, config.llm.vocabulary);
  int64_t next = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Span& span = ops.step().spans[i];
    if (!inputs[i].wants_logits) continue;
    ops.RmsNorm(last.Rows(next++, 1), hidden.Rows(span.first_row + span.rows - 1, 1),
                weights.final_norm_und, config.llm.rms_eps);
  }
  ops.Linear(logits, last, weights.lm_head);
  return logits;
}

// The workspace of the largest step: `max_rows` rows that are one picture, and `max_rows` rows of
// one-token texts that all want logits would be the extremes; the engine never asks for more than
// kMaxLogits of the latter.
constexpr int64_t kMaxLogits = 64;

size_t MeasureWorkspace(const Ops& device, const BagelConfig& config, const BagelWeights& weights,
                        int64_t max_rows) {
  MeasuringOps ops(device);
  const auto measure = [&](const std::vector<StepInput>& inputs, const Step& step) {
    ops.BeginStep(step);
    Workspace workspace;
    RunLayers(ops, workspace, config, weights, {}, inputs, nullptr, "", nullptr);
    return workspace.peak();
  };
  ImagePatches image;
  image.positions.assign(static_cast<size_t>(max_rows - 2), 0);
  const std::vector<int32_t> pages(static_cast<size_t>(max_rows / kKvPageTokens + 1));
  Step picture{std::vector<int32_t>(static_cast<size_t>(max_rows)),
               {{0, max_rows, 0, false, pages}}};
  const int64_t texts = std::min(kMaxLogits, max_rows);
  Step decode{std::vector<int32_t>(static_cast<size_t>(texts)), {}};
  for (int64_t r = 0; r < texts; ++r) decode.spans.push_back({r, 1, 0, true, {0}});
  const size_t picture_bytes = measure({StepInput{nullptr, {}, &image, true}}, picture);
  const size_t decode_bytes = measure(
      std::vector<StepInput>(static_cast<size_t>(texts), StepInput{nullptr, {0}, nullptr, true}),
      decode);
  // A mixed step holds at most both.
  return picture_bytes + decode_bytes;
}

}  // namespace

ImagePatches PrepareImage(const Picture& picture, const BagelConfig& config) {
  const Picture resized = ResizeByRule(ResizeByRule(picture, config.vae_image), config.vit_image);
  const int patch = static_cast<int>(config.vit.patch);
  return {PatchRows(resized, patch),
          PatchPositions(resized.height / patch, resized.width / patch,
                         static_cast<int>(config.vit.max_patches_per_side))};
}

Bagel::Bagel(Ops& ops, const BagelConfig& config, const BagelWeights& weights, ImageMarkers markers,
             int64_t max_rows)
    : markers_(markers), config_(config), ops_(ops), weights_(weights) {
  workspace_bytes_ = MeasureWorkspace(ops, config, weights, max_rows);
  workspace_memory_ = ops.Allocate(workspace_bytes_);
}

Bagel::~Bagel() { ops_.Free(workspace_memory_); }

std::span<const float> Bagel::Run(std::span<const StepInput> inputs, const KvPool& pool,
                                  const std::string& name, const std::function<bool()>& stop) {
  for (const StepInput& input : inputs)
    CHECK(input.rows() > 0 && (input.image == nullptr || !input.wants_logits));
  ops_.BeginStep(PlanStep(inputs));
  Workspace workspace(workspace_memory_, workspace_bytes_);
  const Tensor logits =
      RunLayers(ops_, workspace, config_, weights_, markers_, inputs, &pool, name, stop);
  logits_.resize(static_cast<size_t>(logits.rows * logits.cols));
  ops_.CopyToHost(logits_.data(), logits.data, logits_.size() * sizeof(float));
  for (const StepInput& input : inputs)
    input.context->Advance(input.rows(), input.image ? 1 : input.rows());
  return logits_;
}

}  // namespace bagel
