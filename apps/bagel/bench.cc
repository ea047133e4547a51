// bagel bench: what a model costs on this machine, beside what the machine can do.
#include <cstdio>
#include <memory>
#include <string>

#include "base/error.h"
#include "commands.h"
#include "formats/json.h"
#include "interrupt.h"
#include "model/bagel.h"
#include "model_option.h"
#include "progress.h"
#include "request_bench.h"
#include "step_bench.h"

namespace bagel {
namespace {

struct BenchOptions {
  ModelOptions engine;
  StepShape steps;
  RequestShape requests;
  std::string frame, picture;  // WIDTHxHEIGHT
  bool full = false;
  int rounds = 3;
  bool json = false;
};

// The sizes of `text`, "1280x720".
PictureSize ParseSize(const std::string& option, const std::string& text) {
  PictureSize size;
  char rest = 0;
  constexpr int kMost = 16384;
  if (std::sscanf(text.c_str(), "%dx%d%c", &size.width, &size.height, &rest) != 2 ||
      size.width < 1 || size.height < 1 || size.width > kMost || size.height > kMost)
    throw Error(
        ErrorKind::kInvalidArgument,
        option + " is '" + text + "', expected WIDTHxHEIGHT of 1 to " + std::to_string(kMost));
  return size;
}

// One line of the table: printed where the report has its numbers.
class Printer {
 public:
  explicit Printer(const Json& report) : report_(report) {}

  double operator()(const char* key) const { return report_.at(key).get<double>(); }
  bool Has(const char* key) const { return report_.contains(key); }

 private:
  const Json& report_;
};

void PrintSteps(const Printer& number) {
  std::printf("  roofs      %.1f GB/s read, %.0f GFLOP/s exact, %.0f GFLOP/s fast\n",
              number("roof_read_gb_per_second"), number("roof_exact_gflops"),
              number("roof_fast_gflops"));
  std::printf("  vision     %.0f picture tokens in %.1f ms\n", number("image_tokens"),
              number("vit_ms"));
  std::printf(
      "  prefill    picture %.1f ms, %.0f text tokens %.1f ms: %.0f tokens/s, %.0f GFLOP/s, "
      "%.0f %% of the roof\n",
      number("prefill_image_ms"), number("text_tokens"), number("prefill_text_ms"),
      number("prefill_tokens_per_second"), number("prefill_linear_gflops"),
      100 * number("prefill_share_of_roof"));
  if (number.Has("long_text_ms"))
    std::printf(
        "             a text of %.0f tokens %.1f ms: %.0f tokens/s, %.0f GFLOP/s, %.0f %% of the "
        "roof, attention counted\n",
        number("long_text_tokens"), number("long_text_ms"), number("long_text_tokens_per_second"),
        number("long_text_gflops"), 100 * number("long_text_share_of_roof"));
  std::printf(
      "  decode     %.2f ms a token: %.2f tokens/s at a context of %.0f; %.2f GB a token (weights "
      "as stored, keys and values): %.1f GB/s, %.0f %% of the roof\n",
      number("decode_ms"), number("decode_tokens_per_second"), number("decode_context"),
      number("decode_gb"), number("decode_gb_per_second"), 100 * number("decode_share_of_roof"));
}

void PrintDrawingSteps(const Printer& number) {
  std::printf("  drawing    a guided step of 2 x %.0f latent tokens %.1f ms",
              number("latent_tokens"), number("guided_step_ms"));
  if (number.Has("pass_ms"))
    std::printf(", one pass of %.0f rows over %.0f cached %.1f ms", number("pass_rows"),
                number("pass_cached_tokens"), number("pass_ms"));
  std::printf("; %.0fx%.0f pixels decoded in %.1f ms, encoded in %.1f ms\n", number("vae_side"),
              number("vae_side"), number("vae_decode_ms"), number("vae_encode_ms"));
}

void PrintRequests(const Printer& number) {
  for (const auto& [key, what] : {std::pair("load_to_first_token_ms", "all of it"),
                                  {"load_understanding_to_first_token_ms", "without drawing"}})
    if (number.Has(key))
      std::printf("  start      %s: from loading to the first token %.0f ms\n", what, number(key));
  if (number.Has("frame_to_first_word_ms"))
    std::printf(
        "  a look     %.0fx%.0f pixels, %.0f tokens with the question: %.1f ms from the "
        "picture to the first word\n",
        number("frame_width"), number("frame_height"), number("frame_tokens"),
        number("frame_to_first_word_ms"));
  if (number.Has("requests"))
    std::printf("  requests   %.0f at once %.1f tokens/s, one alone %.1f: %.2f times as many\n",
                number("requests"), number("requests_tokens_per_second"),
                number("one_request_tokens_per_second"),
                number("requests_tokens_per_second") / number("one_request_tokens_per_second"));
  if (number.Has("picture_ms"))
    std::printf("  a picture  %.0fx%.0f pixels, %.0f steps: %.2f s, with TaylorSeer %.2f s\n",
                number("picture_width"), number("picture_height"), number("picture_steps"),
                number("picture_ms") / 1e3, number("picture_taylorseer_ms") / 1e3);
  if (number.Has("edit_ms")) std::printf("  an edit    %.2f s\n", number("edit_ms") / 1e3);
  for (const auto& [key, what] : {std::pair("understanding_gpu_mb", "understanding"),
                                  {"drawing_gpu_mb", "drawing"},
                                  {"drawing_taylorseer_gpu_mb", "drawing with TaylorSeer"},
                                  {"editing_gpu_mb", "editing"}})
    if (number.Has(key))
      std::printf("  GPU memory %s: %.2f GB at its peak\n", what, number(key) / 1e3);
}

void Print(const Json& report) {
  const Printer number(report);
  std::printf("%s on %s\n", report.at("model").get<std::string>().c_str(),
              report.at("device").get<std::string>().c_str());
  PrintSteps(number);
  if (number.Has("guided_step_ms")) PrintDrawingSteps(number);
  PrintRequests(number);
  std::printf("  memory     %.0f MB at its peak, mapped weights included; loaded in %.0f ms\n",
              number("peak_memory_mb"), number("load_ms"));
}

// What --full stands for: the sizes by which devices are compared in bench/README.md.
void TakeFullSizes(BenchOptions& options) {
  options.steps.image_tokens = 2730;
  options.steps.prefill_tokens = 5000;
  options.steps.decode_context = 1500;
  options.steps.decode_tokens = 64;
  options.steps.draw.latent_tokens = 4096;
  options.steps.draw.cached_tokens = 1200;
  options.steps.draw.pixel_side = 1024;
  options.requests.requests = 8;
  options.requests.edit = true;
  options.frame = "1280x720";
  if (options.engine.drawing != DrawingHalf::kOff) options.picture = "1024x1024";
}

void RunBench(BenchOptions options) {
  CatchInterrupts();
  if (options.full) TakeFullSizes(options);
  if (!options.frame.empty()) options.requests.frame = ParseSize("--frame", options.frame);
  if (!options.picture.empty()) options.requests.drawn = ParseSize("--picture", options.picture);
  ResolveModel(options.engine);
  const Progress progress("measuring");
  Json report = RunRequestBench(options.engine, options.requests, options.rounds);
  report.update(RunStepBench(options.engine, options.steps, options.rounds));
  if (options.json)
    std::printf("%s\n", report.dump(2).c_str());
  else
    Print(report);
}

void AddStepOptions(CLI::App& command, StepShape& shape) {
  const CLI::Range tokens(1, 16384), tokens_or_none(0, 16384);
  command.add_option("--image-tokens", shape.image_tokens, "Picture tokens to read")
      ->check(tokens)
      ->capture_default_str();
  command.add_option("--text-tokens", shape.text_tokens, "Text tokens to read after them")
      ->check(tokens)
      ->capture_default_str();
  command
      .add_option("--prefill-tokens", shape.prefill_tokens,
                  "Tokens of a text that is read alone, in one step; 0 = none")
      ->check(tokens_or_none)
      ->capture_default_str();
  command
      .add_option("--decode-context", shape.decode_context,
                  "Context before the first generated token; 0 = picture and text")
      ->check(tokens_or_none)
      ->capture_default_str();
  command.add_option("--decode-tokens", shape.decode_tokens, "Tokens to generate")
      ->check(tokens)
      ->capture_default_str();
  command
      .add_option("--latent-tokens", shape.draw.latent_tokens,
                  "Latent tokens of a guided step, a square; 0 = no drawing steps")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command
      .add_option("--cached-tokens", shape.draw.cached_tokens,
                  "Context of a single pass over as many latent tokens; 0 = none")
      ->check(tokens_or_none)
      ->capture_default_str();
  command
      .add_option("--pixel-side", shape.draw.pixel_side,
                  "Pixels a side that the autoencoder encodes and decodes")
      ->check(CLI::Range(16, 1024))
      ->capture_default_str();
}

void AddRequestOptions(CLI::App& command, BenchOptions& options) {
  command.add_option("--frame", options.frame,
                     "WIDTHxHEIGHT of a picture: from its pixels to the first word");
  command
      .add_option("--requests", options.requests.requests,
                  "Texts at once, beside one alone; 0 = none")
      ->check(CLI::Range(int64_t{0}, Bagel::kRowsBesidePicture))
      ->capture_default_str();
  command.add_option("--request-tokens", options.requests.tokens, "Tokens of each of these texts")
      ->check(CLI::Range(1, 8000))
      ->capture_default_str();
  command.add_option("--picture", options.picture,
                     "WIDTHxHEIGHT to draw, without and with TaylorSeer");
  command.add_option("--steps", options.requests.steps, "Steps of the picture")
      ->check(CLI::Range(2, 1000))
      ->capture_default_str();
  command.add_flag("--edit", options.requests.edit, "Edit a picture of that size too");
  command.add_flag("--full", options.full,
                   "All of these, at the sizes of a 1024x1024 picture and a 1280x720 frame");
}

}  // namespace

void AddBench(CLI::App& app) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand(
      "bench", "Time steps and requests beside this machine's own limits, medians of some rounds");
  command->footer(
      "Example: bagel bench --model /tmp/two-layers --image-tokens 1400\n"
      "         bagel bench --model BAGEL-7B-MoT-nf4 --device cuda --full --json");
  AddEngineOptions(*command, options->engine);
  AddStepOptions(*command, options->steps);
  AddRequestOptions(*command, *options);
  command->add_option("--rounds", options->rounds, "Counted rounds, after one that is not")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options] { RunBench(*options); });
}

}  // namespace bagel
