// bagel quantize: a checkpoint folder made smaller.
#include "model/quantize.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "commands.h"
#include "formats/quote.h"
#include "interrupt.h"
#include "model_option.h"
#include "progress.h"

namespace bagel {
namespace {

namespace fs = std::filesystem;

struct QuantizeOptions {
  fs::path model;
  fs::path out;
  std::string format = "nf4";
  std::vector<std::string> keep;
  std::vector<std::string> classes;  // CLASS=FORMAT
  int threads = 0;
};

constexpr TensorRole kRoles[] = {
    TensorRole::kDecoder,   TensorRole::kHead,      TensorRole::kEmbedding, TensorRole::kVit,
    TensorRole::kConnector, TensorRole::kPositions, TensorRole::kFlow};

void SetClass(QuantizePolicy& policy, const std::string& text) {
  const size_t equals = text.find('=');
  std::string known;
  for (const TensorRole role : kRoles) {
    if (equals != std::string::npos && text.substr(0, equals) == TensorRoleName(role)) {
      policy.formats[role] = FindStoredFormat(text.substr(equals + 1));
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(TensorRoleName(role));
  }
  throw Error(ErrorKind::kInvalidArgument,
              "--class is " + Quote(text) + ", expected CLASS=FORMAT with a class of " + known);
}

void Quantize(const QuantizeOptions& options) {
  QuantizePolicy policy = FindPolicy(options.format);
  policy.keep = options.keep;
  for (const std::string& text : options.classes) SetClass(policy, text);
  const fs::path model = FindModel(options.model);
  const auto start = std::chrono::steady_clock::now();
  const QuantizeResult result = QuantizeFolder(model, options.out, policy, options.threads);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  std::printf("%s: %.2f GB from %.2f GB in %.1f s (%.2f GB/s read)\n", options.out.c_str(),
              static_cast<double>(result.bytes_out) / 1e9,
              static_cast<double>(result.bytes_in) / 1e9, elapsed.count(),
              static_cast<double>(result.bytes_in) / 1e9 / elapsed.count());
}

}  // namespace

QuantizeResult QuantizeFolder(const fs::path& model, const fs::path& out,
                              const QuantizePolicy& policy, int threads) {
  CatchInterrupts();
  ThreadPool pool(threads);
  std::unique_ptr<ProgressBar> progress;
  return QuantizeCheckpoint(model, out, policy, pool, [&](uint64_t done, uint64_t total) {
    if (progress == nullptr)
      progress = std::make_unique<ProgressBar>("quantizing " + model.string(), total);
    progress->Set(done);
    return !Interrupted();
  });
}

void AddQuantize(CLI::App& app) {
  const auto options = std::make_shared<QuantizeOptions>();
  CLI::App* command = app.add_subcommand(
      "quantize", "Writes a smaller copy of a checkpoint, with 4 bits for most weights");
  AddModelOption(*command, options->model);
  command->add_option("--out", options->out, "The folder to write, which must not exist")
      ->type_name("DIR")
      ->required();
  command->add_option("--format", options->format, "nf4-plain is larger, with magnitudes in f32")
      ->type_name("nf4|nf4-plain")
      ->capture_default_str();
  command
      ->add_option("--keep", options->keep,
                   "Tensors that stay as they are, as a pattern such as \"*.layers.0.*\"; may be "
                   "repeated")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  command
      ->add_option("--class", options->classes,
                   "One class in another format, as in embedding=int8_b64; may be repeated")
      ->type_name("CLASS=FORMAT")
      ->allow_extra_args(false);
  command->add_option("--threads", options->threads, "CPU threads, 0 = all")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->footer("Example: bagel quantize --model BAGEL-7B-MoT --out BAGEL-7B-MoT-nf4");
  command->callback([options] { Quantize(*options); });
}

}  // namespace bagel
