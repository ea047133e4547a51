// bagel synth: a checkpoint of a given shape with random weights, for loading, timing and testing
// at real sizes.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "commands.h"
#include "formats/safetensors_writer.h"
#include "interrupt.h"
#include "model/config.h"
#include "model/quantize.h"
#include "model/tensor_quantizer.h"
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
  std::string quant;  // empty = none
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

// One file of random tensors, each in the format that `policy` says. The same seed gives the same
// values for every policy, and the file that quantising the one without would give.
class SynthFile {
 public:
  SynthFile(const SynthOptions& options, const std::string& name, std::vector<TensorSpec> specs,
            const QuantizePolicy& policy)
      : dtype_(ParseDType(options.dtype)),
        path_((options.out / name).string()),
        specs_(std::move(specs)),
        policy_(policy),
        weights_(dtype_, 0.0f, 0.02f, options.seed),
        norms_(dtype_, 1.0f, 0.1f, options.seed),
        pool_(0),
        quantizer_(pool_, [this](uint64_t bytes) { Advance(bytes); }) {
    std::ranges::sort(specs_, {}, &TensorSpec::name);
    uint64_t total = 0;
    for (const TensorSpec& spec : specs_) total += Bytes(spec);
    progress_ = std::make_unique<ProgressBar>("writing " + name, total);
  }

  void Write() {
    std::vector<TensorDeclaration> declarations;
    for (const TensorSpec& spec : specs_)
      std::ranges::move(
          TensorQuantizer::Declare({spec.name, dtype_, spec.shape}, policy_.FormatOf(spec)),
          std::back_inserter(declarations));
    SafetensorsWriter writer(path_, declarations);
    for (const TensorSpec& spec : specs_) {
      if (policy_.FormatOf(spec) == StoredFormat::kAsIs)
        WriteAsIs(writer, spec);
      else
        WriteQuantized(writer, spec);
    }
    writer.Finish();
  }

 private:
  uint64_t Bytes(const TensorSpec& spec) const {
    return static_cast<uint64_t>(spec.elements()) * DTypeSize(dtype_);
  }

  void Advance(uint64_t bytes) {
    if (Interrupted()) throw Error(ErrorKind::kCancelled, "interrupted; nothing was written");
    done_ += bytes;
    progress_->Set(done_);
  }

  // Calls `take` with all of a tensor's bytes, piece by piece.
  template <typename Take>
  void MakeValues(const TensorSpec& spec, const Take& take) {
    for (uint64_t left = Bytes(spec); left > 0;) {
      const std::span<const std::byte> bytes = (spec.is_norm ? norms_ : weights_).Next(left);
      take(bytes);
      left -= bytes.size();
    }
  }

  void WriteAsIs(SafetensorsWriter& writer, const TensorSpec& spec) {
    MakeValues(spec, [&](std::span<const std::byte> bytes) {
      writer.Append(spec.name, bytes);
      Advance(bytes.size());
    });
  }

  void WriteQuantized(SafetensorsWriter& writer, const TensorSpec& spec) {
    values_.clear();
    MakeValues(spec, [&](std::span<const std::byte> bytes) {
      values_.insert(values_.end(), bytes.begin(), bytes.end());
    });
    quantizer_.Write(writer, nullptr, spec.name, {dtype_, spec.shape, values_},
                     policy_.FormatOf(spec));
  }

  const DType dtype_;
  const std::string path_;
  std::vector<TensorSpec> specs_;
  const QuantizePolicy& policy_;
  RandomBytes weights_, norms_;
  ThreadPool pool_;
  TensorQuantizer quantizer_;
  std::vector<std::byte> values_;  // of the tensor that is quantised
  std::unique_ptr<ProgressBar> progress_;
  uint64_t done_ = 0;
};

void WriteWeights(const SynthOptions& options, const BagelConfig& config) {
  std::vector<TensorSpec> specs = ExpectedTensors(config);
  if (options.no_drawing) std::erase_if(specs, [](const auto& spec) { return spec.is_drawing; });
  const QuantizePolicy as_is;
  const QuantizePolicy policy = options.quant.empty() ? as_is : FindPolicy(options.quant);
  SynthFile(options, "ema.safetensors", std::move(specs), policy).Write();
  if (!options.no_drawing)
    SynthFile(options, "ae.safetensors", ExpectedAutoencoder(config), as_is).Write();
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
              (options.quant.empty() ? options.dtype : options.quant).c_str());
}

}  // namespace

void AddSynth(CLI::App& app) {
  const auto options = std::make_shared<SynthOptions>();
  CLI::App* command = app.add_subcommand(
      "synth", "Write a checkpoint of a given shape with random weights, to load and to time");
  command->footer(
      "Example: bagel synth --layers 2 --no-drawing --out /tmp/two-layers\n"
      "         bagel synth --quant nf4 --out /tmp/bagel-nf4");
  command
      ->add_option("--shape", options->shape,
                   "bagel-7b-mot, a model folder, or a JSON file with llm_config and vit_config")
      ->type_name("bagel-7b-mot|DIR|FILE")
      ->capture_default_str();
  command->add_option("--dtype", options->dtype, "How the weights are stored")
      ->check(CLI::IsMember({"bf16", "f16", "f32"}))
      ->capture_default_str();
  command
      ->add_option("--quant", options->quant,
                   "Quantise them on the way: what `bagel quantize` makes of the same weights")
      ->check(CLI::IsMember({"nf4", "nf4-plain"}));
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
