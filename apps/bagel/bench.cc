// bagel bench: what a model costs on this machine, beside what the machine can do.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "commands.h"
#include "draw_bench.h"
#include "engine/devices.h"
#include "formats/json.h"
#include "interrupt.h"
#include "model/bagel.h"
#include "model/siglip.h"
#include "model_option.h"
#include "progress.h"

namespace bagel {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchOptions {
  ModelOptions engine;
  int64_t image_tokens = 1400;
  int64_t text_tokens = 40;
  int64_t decode_tokens = 32;
  DrawShape draw;
  int rounds = 3;
  bool json = false;
};

double Milliseconds(Clock::time_point since) {
  return std::chrono::duration<double, std::milli>(Clock::now() - since).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

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

double DecodeBytes(const BagelWeights& weights) {
  int64_t bytes = WeightBytes(weights.lm_head);
  for (const DecoderLayer& layer : weights.layers) {
    const ExpertLayer& e = layer.und;
    for (const Weight* weight : {&e.q, &e.k, &e.v, &e.o, &e.gate, &e.up, &e.down})
      bytes += WeightBytes(*weight);
  }
  return static_cast<double>(bytes);
}

struct Times {
  std::vector<double> vit_ms, image_ms, text_ms, decode_ms;
  std::vector<double> guided_step_ms, vae_decode_ms;  // empty where the model does not draw
};

class Bench {
 public:
  explicit Bench(const BenchOptions& options)
      : options_(options),
        config_(LoadBagelConfig(options.engine.model)),
        ops_(MakeDevice(options.engine.device, options.engine.threads, options.engine.exact,
                        options.engine.gpu_profile)),
        start_(Clock::now()),
        weights_(options.engine.model, config_, *ops_, options.engine.drawing),
        load_ms_(Milliseconds(start_)),
        image_(MakeImage(options.image_tokens, config_)),
        pool_(*ops_, config_.llm, Tokens() / kKvPageTokens + 2),
        model_(*ops_, config_, weights_.weights(), {0, 0},
               std::max({image_.rows() + 2, options.text_tokens, options.draw.text_tokens})) {}

  ~Bench() { ops_->Free(vit_memory_); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  Json Run() {
    const Roofs before = ops_->MeasureRoofs();
    Times times;
    for (int round = 0; round <= options_.rounds; ++round) {
      if (Interrupted()) throw Error(ErrorKind::kCancelled, "interrupted");
      RunOnce(round == 0 ? warm_up_ : times);
    }
    const Roofs after = ops_->MeasureRoofs();
    const Roofs roofs{std::max(before.read_bytes_per_second, after.read_bytes_per_second),
                      std::max(before.exact_flops, after.exact_flops),
                      std::max(before.fast_flops, after.fast_flops)};
    return Report(times, roofs);
  }

 private:
  int64_t Tokens() const {
    return options_.image_tokens + 2 + options_.text_tokens + options_.decode_tokens;
  }

  void RunOnce(Times& times) {
    times.vit_ms.push_back(TimeVit());
    Context context(pool_);
    times.image_ms.push_back(TimeStep({&context, {}, &image_, false}) - times.vit_ms.back());
    const std::vector<int32_t> text(static_cast<size_t>(options_.text_tokens), 1);
    times.text_ms.push_back(TimeStep({&context, text, nullptr, false}));
    for (int64_t i = 0; i < options_.decode_tokens; ++i)
      times.decode_ms.push_back(TimeStep({&context, {1}, nullptr, true}));
    if (!draws()) return;
    const DrawTimes draw = TimeDrawing(model_, pool_, options_.draw, [] { return Interrupted(); });
    times.guided_step_ms.push_back(draw.guided_step_ms);
    times.vae_decode_ms.push_back(draw.vae_decode_ms);
  }

  bool draws() const {
    return weights_.drawing_missing().empty() && options_.draw.latent_tokens > 0;
  }

  double TimeStep(const StepInput& input) {
    const auto start = Clock::now();
    model_.Run(std::span(&input, 1), pool_, "bench", [] { return Interrupted(); });
    return Milliseconds(start);
  }

  double TimeVit() {
    constexpr size_t kSpare = 1 << 20;
    const size_t bytes = model_.workspace_bytes() + kSpare;
    if (vit_memory_ == nullptr) vit_memory_ = ops_->Allocate(bytes);
    Workspace workspace(vit_memory_, bytes);
    const Tensor patches =
        workspace.Take(DType::kF32, image_.rows(), 3 * config_.vit.patch * config_.vit.patch);
    ops_->CopyToDevice(patches.data, image_.values.data(), image_.values.size() * sizeof(float));
    const Tensor y = workspace.Take(DType::kF32, image_.rows(), config_.llm.hidden);
    const auto start = Clock::now();
    EncodeImage(*ops_, workspace, config_, weights_.weights(), patches, image_.positions, y);
    float first = 0;
    ops_->CopyToHost(&first, y.data, sizeof(first));  // waits for the device
    return Milliseconds(start);
  }

  Json Report(const Times& times, const Roofs& roofs) const {
    const double image_ms = Median(times.image_ms), text_ms = Median(times.text_ms);
    const double decode_ms = Median(times.decode_ms);
    const auto rows = static_cast<double>(image_.rows() + 2 + options_.text_tokens);
    const double prefill_flops = LayerFlops(config_.llm) * rows / ((image_ms + text_ms) / 1e3);
    const double decode_bytes = DecodeBytes(weights_.weights()) / (decode_ms / 1e3);
    Json report = {{"device", ops_->Name()},
                   {"model", config_.name},
                   {"load_ms", load_ms_},
                   {"image_tokens", image_.rows()},
                   {"text_tokens", options_.text_tokens},
                   {"vit_ms", Median(times.vit_ms)},
                   {"prefill_image_ms", image_ms},
                   {"prefill_text_ms", text_ms},
                   {"prefill_tokens_per_second", rows / (image_ms + text_ms) * 1e3},
                   {"prefill_linear_gflops", prefill_flops / 1e9},
                   {"prefill_share_of_roof",
                    prefill_flops / (options_.engine.exact ? roofs.exact_flops : roofs.fast_flops)},
                   {"decode_ms", decode_ms},
                   {"decode_tokens_per_second", 1e3 / decode_ms},
                   {"decode_gb_per_second", decode_bytes / 1e9},
                   {"decode_share_of_roof", decode_bytes / roofs.read_bytes_per_second},
                   {"roof_read_gb_per_second", roofs.read_bytes_per_second / 1e9},
                   {"roof_exact_gflops", roofs.exact_flops / 1e9},
                   {"roof_fast_gflops", roofs.fast_flops / 1e9},
                   {"peak_memory_mb", PeakMegabytes()}};
    if (draws()) {
      report["latent_tokens"] = options_.draw.latent_tokens;
      report["guided_step_ms"] = Median(times.guided_step_ms);
      report["vae_side"] = options_.draw.decode_side;
      report["vae_decode_ms"] = Median(times.vae_decode_ms);
    }
    return report;
  }

  const BenchOptions& options_;
  BagelConfig config_;
  std::unique_ptr<Ops> ops_;
  Clock::time_point start_;
  LoadedWeights weights_;
  double load_ms_;
  ImagePatches image_;
  KvPool pool_;
  Bagel model_;
  void* vit_memory_ = nullptr;
  Times warm_up_;
};

void Print(const Json& report) {
  const auto number = [&](const char* key) { return report.at(key).get<double>(); };
  std::printf("%s on %s\n", report.at("model").get<std::string>().c_str(),
              report.at("device").get<std::string>().c_str());
  std::printf("  roofs      %.1f GB/s read, %.0f GFLOP/s exact, %.0f GFLOP/s fast\n",
              number("roof_read_gb_per_second"), number("roof_exact_gflops"),
              number("roof_fast_gflops"));
  std::printf("  vision     %.0f picture tokens in %.0f ms\n", number("image_tokens"),
              number("vit_ms"));
  std::printf(
      "  prefill    picture %.0f ms, %.0f text tokens %.0f ms: %.0f tokens/s, %.0f GFLOP/s, "
      "%.0f %% of the roof\n",
      number("prefill_image_ms"), number("text_tokens"), number("prefill_text_ms"),
      number("prefill_tokens_per_second"), number("prefill_linear_gflops"),
      100 * number("prefill_share_of_roof"));
  std::printf("  decode     %.1f ms a token: %.2f tokens/s, %.1f GB/s, %.0f %% of the roof\n",
              number("decode_ms"), number("decode_tokens_per_second"),
              number("decode_gb_per_second"), 100 * number("decode_share_of_roof"));
  if (report.contains("guided_step_ms"))
    std::printf(
        "  drawing    a guided step of 2 x %.0f latent tokens %.0f ms, %.0fx%.0f pixels decoded in "
        "%.0f ms\n",
        number("latent_tokens"), number("guided_step_ms"), number("vae_side"), number("vae_side"),
        number("vae_decode_ms"));
  std::printf("  memory     %.0f MB at its peak, mapped weights included; loaded in %.0f ms\n",
              number("peak_memory_mb"), number("load_ms"));
}

void RunBench(BenchOptions options) {
  CatchInterrupts();
  ResolveModel(options.engine);
  const Progress progress("measuring");
  const Json report = Bench(options).Run();
  if (options.json)
    std::printf("%s\n", report.dump(2).c_str());
  else
    Print(report);
}

}  // namespace

void AddBench(CLI::App& app) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand(
      "bench", "Time prefill and decode beside this machine's own limits, medians of some rounds");
  command->footer("Example: bagel bench --model /tmp/two-layers --image-tokens 1400");
  AddEngineOptions(*command, options->engine);
  command->add_option("--image-tokens", options->image_tokens, "Picture tokens to read")
      ->check(CLI::Range(1, 16384))
      ->capture_default_str();
  command->add_option("--text-tokens", options->text_tokens, "Text tokens to read after them")
      ->check(CLI::Range(1, 16384))
      ->capture_default_str();
  command->add_option("--decode-tokens", options->decode_tokens, "Tokens to generate")
      ->check(CLI::Range(1, 16384))
      ->capture_default_str();
  command
      ->add_option("--latent-tokens", options->draw.latent_tokens,
                   "Latent tokens of a guided step, a square; 0 = do not draw")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command->add_option("--decode-side", options->draw.decode_side, "Pixels a side to decode")
      ->check(CLI::Range(16, 1024))
      ->capture_default_str();
  command->add_option("--rounds", options->rounds, "Counted rounds, after one that is not")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options] { RunBench(*options); });
}

}  // namespace bagel
