#include "model_option.h"

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/data_folder.h"
#include "base/error.h"
#include "progress.h"

namespace bagel {

namespace fs = std::filesystem;

namespace {

DrawingHalf DrawingHalfFromName(const std::string& name) {
  if (name == "off") return DrawingHalf::kOff;
  return name == "on-demand" ? DrawingHalf::kOnDemand : DrawingHalf::kAlways;
}

}  // namespace

CLI::Validator SeedNumber() {
  // The number that would be parsed from another text is not the one that was meant.
  return {[](const std::string& text) {
            uint64_t seed = 0;
            const char* const end = text.data() + text.size();
            const auto [rest, error] = std::from_chars(text.data(), end, seed);
            return error == std::errc() && rest == end
                       ? std::string()
                       : std::string("a whole number from 0 to 2^64 - 1");
          },
          "", "seed"};
}

void AddModelOption(CLI::App& command, fs::path& model) {
  command
      .add_option("--model", model,
                  "Folder of a BAGEL checkpoint; without it $BAGEL_MODEL or the demo model")
      ->type_name("DIR");
}

void AddDeviceOption(CLI::App& command, std::string& device) {
  command.add_option("--device", device, "Where to compute")
      ->type_name("auto|cpu|cuda|cuda:N")
      ->capture_default_str();
}

void AddKvCacheOption(CLI::App& command, std::string& kv_cache, const std::string& description) {
  command.add_option("--kv-cache", kv_cache, description)
      ->check(CLI::IsMember({"auto", "f16", "int8"}))
      ->capture_default_str();
}

void AddEngineOptions(CLI::App& command, ModelOptions& options) {
  AddModelOption(command, options.model);
  command
      .add_option("--quant", options.quant,
                  "Quantise first; the result is kept beside the model, or in ~/.cache/bagel")
      ->type_name("nf4|nf4-plain");
  AddDeviceOption(command, options.device);
  command
      .add_option("--gpu-profile", options.gpu_profile,
                  "auto, or sm_70: what a V100 runs, on any GPU")
      ->check(CLI::IsMember({"auto", "sm_70"}))
      ->capture_default_str();
  AddKvCacheOption(
      command, options.kv_cache,
      "Keys and values of contexts: auto (f16 on a GPU; f32 or bf16 on the CPU), f16 on a "
      "GPU, or int8, half of that");
  command.add_option("--threads", options.threads, "CPU threads, 0 = all")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command.add_flag("--exact", options.exact, "f32 products only, no faster approximations");
  CLI::Option* drawing =
      command
          .add_option_function<std::string>(
              "--drawing",
              [&options](const std::string& name) { options.drawing = DrawingHalfFromName(name); },
              "The half that draws: always on the GPU, on-demand: in the host's memory and copied "
              "when a step needs it, or off: not loaded. On the CPU the first two are the same")
          ->check(CLI::IsMember({"always", "on-demand", "off"}))
          ->default_str("always");
  command
      .add_flag_callback(
          "--no-drawing", [&options] { options.drawing = DrawingHalf::kOff; },
          "The same as --drawing off: half the memory")
      ->excludes(drawing);
  command.add_option("--context", options.context_tokens, "Longest context, 0 = the usual")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 20))
      ->capture_default_str();
}

fs::path FindModel(const fs::path& model) {
  if (!model.empty()) {
    return model;
  }
  const char* const named = std::getenv("BAGEL_MODEL");
  if (named != nullptr && *named != '\0') {
    return named;
  }
  try {
    return FindDataFolder("the files of the demo model", "share/bagel/demo-model", "demo/model");
  } catch (const Error& error) {
    throw Error(error.kind(),
                std::string("no --model given, $BAGEL_MODEL is not set, and ") + error.what());
  }
}

std::unique_ptr<Engine> LoadEngine(ModelOptions options) {
  ResolveModel(options);
  const Progress progress("loading " + options.model.string());
  return Engine::Load(options);
}

}  // namespace bagel
