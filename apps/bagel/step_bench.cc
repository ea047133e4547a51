#include "step_bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "bench_time.h"
#include "engine/devices.h"
#include "interrupt.h"
#include "model/bagel.h"
#include "model/siglip.h"
#include "model/stored_weight.h"

namespace bagel {
namespace {

double PeakMegabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1e3;
}

// A picture of about `tokens` patches, as square as it gets, with made-up pixels.
ImagePatches MakeImage(int64_t tokens, const BagelConfig& config) {
  const int64_t side = config.vit.max_patches_per_side;
  int64_t columns = 1;
  while (columns * columns < tokens) ++columns;
  while (tokens % columns != 0 && columns < side) ++columns;
  const int64_t rows = tokens / columns;
  if (columns > side || rows > side || rows < 1)
    throw Error(ErrorKind::kInvalidArgument, std::to_string(tokens) +
                                                 " picture tokens do not fit a grid of at most " +
                                                 std::to_string(side) + " a side");
  ImagePatches image;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c)
      image.positions.push_back(static_cast<int32_t>(r * side + c));
  }
  const int64_t values = rows * columns * 3 * config.vit.patch * config.vit.patch;
  for (int64_t i = 0; i < values; ++i)
    image.values.push_back(static_cast<float>(i % 255) / 127.5f - 1.0f);
  return image;
}

// Multiply-adds, counted twice, of one row through the decoder's linear layers.
double LayerFlops(const LlmConfig& llm) {
  const int64_t q = llm.heads * llm.head_dim, kv = llm.kv_heads * llm.head_dim;
  const int64_t weights = llm.hidden * (2 * q + 2 * kv + 3 * llm.intermediate);
  return 2.0 * static_cast<double>(weights * llm.layers);
}

// Multiply-adds, counted twice, of causal attention over `tokens` rows without a past.
double CausalFlops(const LlmConfig& llm, int64_t tokens) {
  const auto n = static_cast<double>(tokens);
  return 2.0 * n * n * static_cast<double>(llm.heads * llm.head_dim * llm.layers);
}

// What one token reads of the weights, in the bytes that the checkpoint has: the understanding
// half's decoder and the output head. A device may hold them in more.
double StoredDecodeBytes(const SafetensorsFolder& checkpoint, const BagelConfig& config) {
  int64_t bytes = 0;
  for (const TensorSpec& spec : ExpectedTensors(config)) {
    const bool read = spec.role == TensorRole::kDecoder || spec.role == TensorRole::kHead;
    if (read && !spec.is_drawing) bytes += StoredBytes(checkpoint.tensors(), spec.name);
  }
  return static_cast<double>(bytes);
}

struct Times {
  std::vector<double> vit_ms, image_ms, text_ms, decode_ms;
  std::vector<double> prefill_ms;        // empty where none is asked for
  std::vector<DrawTimes> drawing;        // empty where the model does not draw
  std::vector<int64_t> decode_contexts;  // tokens before each decoded one

  double Median(double DrawTimes::*part) const {
    std::vector<double> values;
    for (const DrawTimes& times : drawing) values.push_back(times.*part);
    return bagel::Median(values);
  }
};

class StepBench {
 public:
  StepBench(const ModelOptions& options, const StepShape& shape)
      : options_(options),
        shape_(shape),
        config_(LoadBagelConfig(options.model)),
        ops_(MakeDevice(options.device, options.threads, options.exact, options.gpu_profile,
                        options.kv_cache)),
        image_(MakeImage(shape.image_tokens, config_)) {
    load_ms_ = Time([&] {
      weights_ = std::make_unique<LoadedWeights>(options.model, config_, *ops_, options.drawing);
    });
    constexpr int64_t kPartlyFilled = 8;
    pool_ = std::make_unique<KvPool>(*ops_, config_.llm, Tokens() / kKvPageTokens + kPartlyFilled);
    model_ =
        std::make_unique<Bagel>(*ops_, config_, weights_->weights(), ImageMarkers{}, LargestStep());
  }

  ~StepBench() { ops_->Free(vit_memory_); }
  StepBench(const StepBench&) = delete;
  StepBench& operator=(const StepBench&) = delete;

  Json Run(int rounds) {
    const Roofs before = ops_->MeasureRoofs();
    Times warm_up, times;
    for (int round = 0; round <= rounds; ++round) {
      if (Interrupted()) throw Error(ErrorKind::kCancelled, "interrupted");
      RunOnce(round == 0 ? warm_up : times);
    }
    const Roofs after = ops_->MeasureRoofs();
    const Roofs roofs{std::max(before.read_bytes_per_second, after.read_bytes_per_second),
                      std::max(before.exact_flops, after.exact_flops),
                      std::max(before.fast_flops, after.fast_flops)};
    Json report = {{"device", ops_->Name()},
                   {"model", config_.name},
                   {"load_ms", load_ms_},
                   {"roof_read_gb_per_second", roofs.read_bytes_per_second / 1e9},
                   {"roof_exact_gflops", roofs.exact_flops / 1e9},
                   {"roof_fast_gflops", roofs.fast_flops / 1e9},
                   {"peak_memory_mb", PeakMegabytes()}};
    ReportPrefill(report, times, options_.exact ? roofs.exact_flops : roofs.fast_flops);
    ReportDecode(report, times, roofs.read_bytes_per_second);
    if (draws()) ReportDrawing(report, times);
    return report;
  }

 private:
  // At once in the cache, by text and picture or by drawing.
  int64_t Tokens() const {
    const int64_t read = shape_.image_tokens + 2 + shape_.text_tokens;
    return std::max({std::max(read, shape_.decode_context) + shape_.decode_tokens,
                     shape_.prefill_tokens, shape_.draw.text_tokens + shape_.draw.cached_tokens});
  }

  int64_t LargestStep() const {
    return std::max({image_.rows() + 2, shape_.text_tokens, shape_.prefill_tokens,
                     shape_.draw.text_tokens, shape_.draw.cached_tokens});
  }

  bool draws() const {
    return weights_->drawing_missing().empty() && shape_.draw.latent_tokens > 0;
  }

  void RunOnce(Times& times) {
    times.vit_ms.push_back(TimeVit());
    if (shape_.prefill_tokens > 0) {
      Context alone(*pool_);
      times.prefill_ms.push_back(TimeText(alone, shape_.prefill_tokens));
    }
    TimeDecoding(times);
    if (draws())
      times.drawing.push_back(
          TimeDrawing(*model_, *pool_, shape_.draw, [] { return Interrupted(); }));
  }

  void TimeDecoding(Times& times) {
    Context context(*pool_);
    times.image_ms.push_back(TimeStep({&context, {}, &image_, false}) - times.vit_ms.back());
    times.text_ms.push_back(TimeText(context, shape_.text_tokens));
    while (context.length() < shape_.decode_context)
      TimeText(context, std::min(LargestStep(), shape_.decode_context - context.length()));
    for (int64_t i = 0; i < shape_.decode_tokens; ++i) {
      times.decode_contexts.push_back(context.length());
      times.decode_ms.push_back(TimeStep({&context, {1}, nullptr, true}));
    }
  }

  double TimeStep(const StepInput& input) {
    return Time([&] {
      model_->RunForBest(std::span(&input, 1), *pool_, "bench", [] { return Interrupted(); });
    });
  }

  double TimeText(Context& context, int64_t tokens) {
    return TimeStep(
        {&context, std::vector<int32_t>(static_cast<size_t>(tokens), 1), nullptr, false});
  }

  double TimeVit() {
    constexpr size_t kSpare = 1 << 20;
    const size_t bytes = model_->workspace_bytes() + kSpare;
    if (vit_memory_ == nullptr) vit_memory_ = ops_->Allocate(bytes);
    Workspace workspace(vit_memory_, bytes);
    const Tensor patches =
        workspace.Take(DType::kF32, image_.rows(), 3 * config_.vit.patch * config_.vit.patch);
    ops_->CopyToDevice(patches.data, image_.values.data(), image_.values.size() * sizeof(float));
    const Tensor y = workspace.Take(DType::kF32, image_.rows(), config_.llm.hidden);
    return Time([&] {
      EncodeImage(*ops_, workspace, config_, weights_->weights(), patches, image_.positions, y);
      float first = 0;
      ops_->CopyToHost(&first, y.data, sizeof(first));  // waits for the device
    });
  }

  void ReportPrefill(Json& report, const Times& times, double roof) const {
    const double image_ms = Median(times.image_ms), text_ms = Median(times.text_ms);
    const auto rows = static_cast<double>(image_.rows() + 2 + shape_.text_tokens);
    const double flops = LayerFlops(config_.llm) * rows / ((image_ms + text_ms) / 1e3);
    report["image_tokens"] = image_.rows();
    report["text_tokens"] = shape_.text_tokens;
    report["vit_ms"] = Median(times.vit_ms);
    report["prefill_image_ms"] = image_ms;
    report["prefill_text_ms"] = text_ms;
    report["prefill_tokens_per_second"] = rows / (image_ms + text_ms) * 1e3;
    report["prefill_linear_gflops"] = flops / 1e9;
    report["prefill_share_of_roof"] = flops / roof;
    if (times.prefill_ms.empty()) return;
    const double ms = Median(times.prefill_ms);
    const auto tokens = static_cast<double>(shape_.prefill_tokens);
    const double all_flops =
        LayerFlops(config_.llm) * tokens + CausalFlops(config_.llm, shape_.prefill_tokens);
    report["long_text_tokens"] = shape_.prefill_tokens;
    report["long_text_ms"] = ms;
    report["long_text_tokens_per_second"] = tokens / ms * 1e3;
    report["long_text_gflops"] = all_flops / ms / 1e6;
    report["long_text_share_of_roof"] = all_flops / (ms / 1e3) / roof;
  }

  // The weights as stored, and the keys and values of the context as the device has them.
  void ReportDecode(Json& report, const Times& times, double roof) const {
    const double ms = Median(times.decode_ms);
    const int64_t context = times.decode_contexts[static_cast<size_t>(shape_.decode_tokens / 2)];
    const int64_t context_bytes = context * KvPool::TokenBytes(config_.llm, ops_->KvType());
    const double bytes =
        StoredDecodeBytes(weights_->checkpoint(), config_) + static_cast<double>(context_bytes);
    report["decode_context"] = context;
    report["decode_ms"] = ms;
    report["decode_tokens_per_second"] = 1e3 / ms;
    report["decode_gb"] = bytes / 1e9;
    report["decode_gb_per_second"] = bytes / (ms / 1e3) / 1e9;
    report["decode_share_of_roof"] = bytes / (ms / 1e3) / roof;
  }

  void ReportDrawing(Json& report, const Times& times) const {
    report["latent_tokens"] = shape_.draw.latent_tokens;
    report["guided_step_ms"] = times.Median(&DrawTimes::guided_step_ms);
    if (shape_.draw.cached_tokens > 0) {
      report["pass_rows"] = shape_.draw.latent_tokens + 2;
      report["pass_cached_tokens"] = shape_.draw.cached_tokens;
      report["pass_ms"] = times.Median(&DrawTimes::pass_ms);
    }
    report["vae_side"] = shape_.draw.pixel_side;
    report["vae_decode_ms"] = times.Median(&DrawTimes::vae_decode_ms);
    report["vae_encode_ms"] = times.Median(&DrawTimes::vae_encode_ms);
  }

  const ModelOptions& options_;
  const StepShape& shape_;
  BagelConfig config_;
  std::unique_ptr<Ops> ops_;
  ImagePatches image_;
  std::unique_ptr<LoadedWeights> weights_;
  std::unique_ptr<KvPool> pool_;
  std::unique_ptr<Bagel> model_;
  double load_ms_ = 0;
  void* vit_memory_ = nullptr;
};

}  // namespace

Json RunStepBench(const ModelOptions& options, const StepShape& shape, int rounds) {
  return StepBench(options, shape).Run(rounds);
}

}  // namespace bagel
