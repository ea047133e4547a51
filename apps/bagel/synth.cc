// bagel synth: a checkpoint of a given shape with random weights, for loading, timing and testing
// at real sizes.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "commands.h"
#include "formats/safetensors_writer.h"
#include "interrupt.h"
#include "model/config.h"
#include "model/weights.h"
#include "model_option.h"
#include "progress.h"
#include "quant/half.h"

namespace bagel {
namespace {

namespace fs = std::filesystem;

struct SynthOptions {
  std::string shape = "bagel-7b-mot";
  std::string dtype = "bf16";
  int64_t layers = 0;
  uint64_t seed = 1;
  bool no_drawing = false;
  fs::path tokenizer;
  fs::path out;
};

// Random values in the stored type, a few MiB of them made once: a checkpoint of 29 GB is cut from
// it at random places, since nothing depends on no two tensors being alike.
class RandomBytes {
 public:
  RandomBytes(DType dtype, float mean, float deviation, uint64_t seed) : random_(seed) {
    constexpr size_t kValues = 4 << 20;
    std::normal_distribution<float> normal(mean, deviation);
    bytes_.resize(kValues * DTypeSize(dtype));
    for (size_t i = 0; i < kValues; ++i) {
      const float value = normal(random_);
      if (dtype == DType::kF32) {
        reinterpret_cast<float*>(bytes_.data())[i] = value;
      } else {
        const uint16_t half = dtype == DType::kF16 ? F32ToF16(value) : F32ToBF16(value);
        reinterpret_cast<uint16_t*>(bytes_.data())[i] = half;
      }
    }
  }

  // At most `count` bytes, whole values.
  std::span<const std::byte> Next(uint64_t count) {
    constexpr size_t kAlignment = 64;
    const size_t first = random_() % (bytes_.size() / 2 / kAlignment) * kAlignment;
    const auto there = std::span(bytes_).subspan(first);
    return there.first(std::min<size_t>(there.size(), count));
  }

 private:
  std::mt19937_64 random_;
  std::vector<std::byte> bytes_;
};

DType ParseDType(const std::string& name) {
  if (name == "bf16") return DType::kBF16;
  if (name == "f16") return DType::kF16;
  return DType::kF32;
}

void WriteFile(const SynthOptions& options, const std::string& name,
               const std::vector<TensorSpec>& specs) {
  const DType dtype = ParseDType(options.dtype);
  std::vector<TensorDeclaration> declarations;
  uint64_t total = 0, written = 0;
  for (const TensorSpec& spec : specs) {
    declarations.push_back({spec.name, dtype, spec.shape});
    uint64_t bytes = DTypeSize(dtype);
    for (const int64_t size : spec.shape) bytes *= static_cast<uint64_t>(size);
    total += bytes;
  }
  RandomBytes weights(dtype, 0.0f, 0.02f, options.seed), norms(dtype, 1.0f, 0.1f, options.seed);
  SafetensorsWriter writer((options.out / name).string(), declarations);
  ProgressBar progress("writing " + name, total);
  for (const TensorSpec& spec : specs) {
    uint64_t left = DTypeSize(dtype);
    for (const int64_t size : spec.shape) left *= static_cast<uint64_t>(size);
    while (left > 0) {
      if (Interrupted()) throw Error(ErrorKind::kCancelled, "interrupted; nothing was written");
      const std::span<const std::byte> bytes = (spec.is_norm ? norms : weights).Next(left);
      writer.Append(spec.name, bytes);
      left -= bytes.size();
      written += bytes.size();
      progress.Set(written);
    }
  }
  writer.Finish();
}

void WriteWeights(const SynthOptions& options, const BagelConfig& config) {
  std::vector<TensorSpec> specs = ExpectedTensors(config);
  if (options.no_drawing) std::erase_if(specs, [](const auto& spec) { return spec.is_drawing; });
  WriteFile(options, "ema.safetensors", specs);
  if (!options.no_drawing) WriteFile(options, "ae.safetensors", ExpectedAutoencoder(config));
}

void CopyTokenizer(const fs::path& from, const fs::path& to) {
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
    std::error_code error;
    fs::copy_file(from / name, to / name, fs::copy_options::overwrite_existing, error);
    if (error) throw Error(ErrorKind::kNotFound, (from / name).string() + ": " + error.message());
  }
}

void Synth(const SynthOptions& options) {
  BagelConfig config = FindShape(options.shape);
  if (options.layers > 0) config.llm.layers = options.layers;
  std::error_code error;
  fs::create_directories(options.out, error);
  if (error) throw Error(ErrorKind::kUnavailable, options.out.string() + ": " + error.message());
  if (!options.tokenizer.empty()) CopyTokenizer(options.tokenizer, options.out);
  CatchInterrupts();
  WriteWeights(options, config);
  SaveBagelConfig(config, options.out);
  std::printf("%s: %s with %lld layers, random %s weights\n", options.out.string().c_str(),
              options.shape.c_str(), static_cast<long long>(config.llm.layers),
              options.dtype.c_str());
}

}  // namespace

void AddSynth(CLI::App& app) {
  const auto options = std::make_shared<SynthOptions>();
  CLI::App* command = app.add_subcommand(
      "synth", "Write a checkpoint of a given shape with random weights, to load and to time");
  command->footer("Example: bagel synth --layers 2 --no-drawing --out /tmp/two-layers");
  command
      ->add_option("--shape", options->shape,
                   "bagel-7b-mot, a model folder, or a JSON file with llm_config and vit_config")
      ->type_name("bagel-7b-mot|DIR|FILE")
      ->capture_default_str();
  command->add_option("--dtype", options->dtype, "How the weights are stored")
      ->check(CLI::IsMember({"bf16", "f16", "f32"}))
      ->capture_default_str();
  command->add_option("--layers", options->layers, "Decoder layers; the shape's own if not given")
      ->check(CLI::Range(1, 1024));
  command->add_option("--seed", options->seed, "Of the random weights")
      ->check(SeedNumber())
      ->capture_default_str();
  command->add_flag("--no-drawing", options->no_drawing, "Leave out the half that draws pictures");
  command
      ->add_option("--tokenizer", options->tokenizer,
                   "A folder whose vocab.json, merges.txt and tokenizer_config.json are copied")
      ->type_name("DIR");
  command->add_option("--out", options->out, "The folder to write")->type_name("DIR")->required();
  command->callback([options] { Synth(*options); });
}

}  // namespace bagel
