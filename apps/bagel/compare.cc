// bagel compare: two models over the same pictures and prompts.
#include "compare.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>

#include "base/error.h"
#include "commands.h"
#include "engine/devices.h"
#include "engine/scheduler.h"
#include "formats/quote.h"
#include "interrupt.h"
#include "model/bagel.h"
#include "model_option.h"
#include "progress.h"
#include "text/protocol.h"
#include "text/tokenizer.h"

namespace bagel {
namespace {

namespace fs = std::filesystem;

struct CompareOptions {
  fs::path a, b, images, prompts, report;
  std::string device = "auto";
  int threads = 0;
  bool exact = false;
  std::string kv_cache = "auto";  // of b
  int64_t num_predict = 64;
};

struct Answer {
  std::vector<int32_t> ids;                // without the start token; the last may end the text
  std::vector<std::vector<float>> logits;  // that each id was chosen by
  double seconds = 0;
};

int32_t Likeliest(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// Of q from p, both given as logits; in nats.
double Divergence(std::span<const float> p, std::span<const float> q) {
  const auto log_sum = [](std::span<const float> logits) {
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float value : logits) sum += std::exp(value - largest);
    return largest + std::log(sum);
  };
  const double p_sum = log_sum(p), q_sum = log_sum(q);
  double divergence = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double log_p = p[i] - p_sum;
    divergence += std::exp(log_p) * (log_p - (q[i] - q_sum));
  }
  return divergence;
}

class Model {
 public:
  Model(const fs::path& folder, const CompareOptions& options, const std::string& kv_cache)
      : num_predict_(options.num_predict),
        config_(LoadBagelConfig(folder)),
        tokenizer_(Tokenizer::Load(folder)),
        protocol_(ProtocolIds::From(tokenizer_)),
        ops_(MakeDevice(options.device, options.threads, options.exact, "auto", kv_cache)),
        weights_(folder, config_, *ops_),
        pool_(*ops_, config_.llm,
              (config_.MaxImageRows() + kMaxPromptTokens + num_predict_) / kKvPageTokens + 2),
        model_(*ops_, config_, weights_.weights(), {protocol_.vision_start, protocol_.vision_end},
               std::max<int64_t>(config_.MaxImageRows(), kPrefillChunkTokens)) {}

  const BagelConfig& config() const { return config_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }

  // Greedy; with `fed`, those ids are fed and the logits before each are kept.
  Answer Run(const Picture& picture, const std::string& prompt, const std::vector<int32_t>* fed) {
    const auto start = std::chrono::steady_clock::now();
    Context context(pool_);
    const ImagePatches image = PrepareImage(picture, config_);
    Step({&context, {}, &image, false});
    const std::vector<int32_t> text =
        WrapText(protocol_, tokenizer_.Encode(prompt, Specials::kPlain));
    if (text.size() > kMaxPromptTokens)
      throw Error(ErrorKind::kTooLarge, "the prompt " + Quote(prompt, 40) + " is longer than " +
                                            std::to_string(kMaxPromptTokens) + " tokens");
    for (size_t first = 0; first < text.size(); first += kPrefillChunkTokens) {
      const size_t last = std::min<size_t>(text.size(), first + kPrefillChunkTokens);
      const auto at = [&](size_t index) { return text.begin() + static_cast<ptrdiff_t>(index); };
      Step({&context, {at(first), at(last)}, nullptr, false});
    }
    Answer answer;
    int32_t id = protocol_.im_start;
    const size_t limit = fed ? fed->size() : static_cast<size_t>(num_predict_);
    while (answer.ids.size() < limit) {
      const std::span<const float> logits = Step({&context, {id}, nullptr, true});
      answer.logits.emplace_back(logits.begin(), logits.end());
      id = fed ? (*fed)[answer.ids.size()] : Likeliest(logits);
      answer.ids.push_back(id);
      if (id == protocol_.im_end || id == protocol_.endoftext) break;
    }
    answer.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return answer;
  }

 private:
  static constexpr int64_t kMaxPromptTokens = 4096;

  std::span<const float> Step(const StepInput& input) {
    return model_.Run(std::span(&input, 1), pool_, "compare", [] { return Interrupted(); });
  }

  int64_t num_predict_;
  BagelConfig config_;
  Tokenizer tokenizer_;
  ProtocolIds protocol_;
  std::unique_ptr<Ops> ops_;
  LoadedWeights weights_;
  KvPool pool_;
  Bagel model_;
};

Comparison Compare(Model& a, Model& b, const std::string& path, const std::string& prompt) {
  const MappedFile file(path);
  const Picture picture = DecodePicture(file.bytes());
  const Answer of_a = a.Run(picture, prompt, nullptr), of_b = b.Run(picture, prompt, nullptr);
  const Answer fed = b.Run(picture, prompt, &of_a.ids);
  Comparison c;
  c.picture = path;
  c.prompt = prompt;
  c.text_a = a.tokenizer().Decode(of_a.ids, true);
  c.text_b = b.tokenizer().Decode(of_b.ids, true);
  const auto parting = std::ranges::mismatch(of_a.ids, of_b.ids);
  if (of_a.ids != of_b.ids) c.first_difference = parting.in1 - of_a.ids.begin();
  c.tokens = static_cast<int64_t>(of_a.ids.size());
  for (size_t i = 0; i < fed.logits.size(); ++i) {
    c.agreeing += Likeliest(fed.logits[i]) == of_a.ids[i] ? 1 : 0;
    c.mean_kl += Divergence(of_a.logits[i], fed.logits[i]) / static_cast<double>(c.tokens);
  }
  c.seconds_a = of_a.seconds;
  c.seconds_b = of_b.seconds;
  return c;
}

std::vector<std::string> ListPictures(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error))
    throw Error(ErrorKind::kNotFound, folder.string() + ": no such folder of pictures");
  std::vector<std::string> pictures;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".png" || extension == ".jpg" || extension == ".jpeg" || extension == ".webp")
      pictures.push_back(entry.path().string());
  }
  std::sort(pictures.begin(), pictures.end());
  if (pictures.empty())
    throw Error(ErrorKind::kNotFound, folder.string() + ": holds no PNG, JPEG or WebP file");
  return pictures;
}

std::vector<std::string> ReadPrompts(const fs::path& path) {
  if (path.empty()) return {"Describe this image."};
  std::ifstream file(path);
  std::vector<std::string> prompts;
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) prompts.push_back(line);
  if (prompts.empty())
    throw Error(ErrorKind::kNotFound, path.string() + ": holds no prompt, expected one a line");
  return prompts;
}

// Under a temporary name first, so that an interrupt leaves the last whole one.
void WriteWhole(const fs::path& path, const std::string& text) {
  const fs::path temporary = path.string() + ".partial";
  std::ofstream file(temporary, std::ios::binary);
  file << text;
  file.close();
  std::error_code error;
  if (file) fs::rename(temporary, path, error);
  if (!file || error) throw Error(ErrorKind::kUnavailable, path.string() + ": cannot be written");
}

// The report's JSON twin, which also is what an interrupted run goes on from.
class ReportFile {
 public:
  ReportFile(const CompareOptions& options, const fs::path& report)
      : path_(fs::path(report).replace_extension(".json")),
        settings_({{"a", options.a.string()},
                   {"b", options.b.string()},
                   {"num_predict", options.num_predict},
                   {"exact", options.exact},
                   {"kv_cache", options.kv_cache}}) {
    if (!fs::exists(path_)) return;
    const Json json = ReadJsonFile(path_.string());
    if (!json.is_object() || json.value("settings", Json()) != settings_)
      throw Error(ErrorKind::kInvalidArgument,
                  path_.string() + ": is of other models or settings, expected " +
                      settings_.dump() + "; remove it or name another report");
    for (const Json& item : json.at("comparisons"))
      done_.push_back(ComparisonFromJson(item, path_.string()));
  }

  const std::vector<Comparison>& done() const { return done_; }
  bool Has(const std::string& picture, const std::string& prompt) const {
    return std::any_of(done_.begin(), done_.end(), [&](const Comparison& c) {
      return c.picture == picture && c.prompt == prompt;
    });
  }
  void Add(Comparison comparison) {
    done_.push_back(std::move(comparison));
    Write();
  }

  void Write() const {
    Json list = Json::array();
    for (const Comparison& c : done_) list.push_back(ToJson(c));
    WriteWhole(
        path_,
        Json{{"settings", settings_}, {"summary", Summary(done_)}, {"comparisons", list}}.dump(
            2, ' ', false, Json::error_handler_t::replace) +
            "\n");
  }

 private:
  fs::path path_;
  Json settings_;
  std::vector<Comparison> done_;
};

void RunCompare(const CompareOptions& options) {
  const std::vector<std::string> pictures = ListPictures(options.images);
  const std::vector<std::string> prompts = ReadPrompts(options.prompts);
  ReportFile file(options, options.report);
  file.Write();
  CatchInterrupts();
  Model a(options.a, options, "auto"), b(options.b, options, options.kv_cache);
  if (a.config().llm.vocabulary != b.config().llm.vocabulary)
    throw Error(ErrorKind::kInvalidArgument,
                options.b.string() + ": has " + std::to_string(b.config().llm.vocabulary) +
                    " token ids, expected " + std::to_string(a.config().llm.vocabulary));
  try {
    ProgressBar progress("comparing", pictures.size() * prompts.size());
    uint64_t count = 0;
    for (const std::string& picture : pictures) {
      for (const std::string& prompt : prompts) {
        if (!file.Has(picture, prompt)) file.Add(Compare(a, b, picture, prompt));
        progress.Set(++count);
      }
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kCancelled) throw;
    throw Error(ErrorKind::kCancelled, "interrupted; the same command goes on after " +
                                           std::to_string(file.done().size()) + " answers");
  }
  WriteWhole(options.report, ComparisonPage(options.a.string(), options.b.string(), file.done()));
  const Json summary = Summary(file.done());
  std::printf(
      "%lld of %zu answers equal, %.2f %% of %lld tokens agree, mean KL %.3g nats, "
      "%.1f s and %.1f s\n",
      static_cast<long long>(summary["exact_answers"].get<int64_t>()), file.done().size(),
      100 * summary["token_agreement"].get<double>(),
      static_cast<long long>(summary["tokens"].get<int64_t>()), summary["mean_kl"].get<double>(),
      summary["seconds_a"].get<double>(), summary["seconds_b"].get<double>());
}

}  // namespace

void AddCompare(CLI::App& app) {
  const auto options = std::make_shared<CompareOptions>();
  CLI::App* command =
      app.add_subcommand("compare", "Runs two models over pictures and shows where they differ");
  command->add_option("--a", options->a, "Folder of the first model")->type_name("DIR")->required();
  command->add_option("--b", options->b, "Folder of the second")->type_name("DIR")->required();
  command->add_option("--images", options->images, "Folder of pictures")
      ->type_name("DIR")
      ->required();
  command->add_option("--prompts", options->prompts, "A file with one prompt a line")
      ->type_name("FILE");
  command
      ->add_option("--report", options->report,
                   "The HTML page to write; a JSON file of that name lies beside it, from which an "
                   "interrupted run goes on")
      ->type_name("FILE")
      ->required();
  command->add_option("--num-predict", options->num_predict, "Most tokens of an answer")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  AddDeviceOption(*command, options->device);
  AddKvCacheOption(
      *command, options->kv_cache,
      "Keys and values of the second: auto, f16 on a GPU, or int8; the first has auto");
  command->add_option("--threads", options->threads, "CPU threads, 0 = all")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_flag("--exact", options->exact, "f32 products only, no faster approximations");
  command->footer("Example: bagel compare --a model --b model-nf4 --images photos --report r.html");
  command->callback([options] { RunCompare(*options); });
}

}  // namespace bagel
