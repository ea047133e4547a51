// bagel describe: pictures and a question in, words out.
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "commands.h"
#include "engine/engine.h"
#include "event_queue.h"
#include "formats/picture_file.h"
#include "interrupt.h"
#include "model_option.h"
#include "progress.h"
#include "terminal.h"

namespace bagel {
namespace {

constexpr std::size_t kMaxPromptBytes = 4 << 20;

struct DescribeOptions {
  ModelOptions engine;
  std::vector<std::string> images;
  std::optional<std::string> prompt;
  TextRequest request;  // all but the parts
  bool json = false;
};

std::string ReadStandardInput() {
  std::string text;
  std::vector<char> buffer(64 << 10);
  while (std::cin.read(buffer.data(), static_cast<std::streamsize>(buffer.size())),
         std::cin.gcount() > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > kMaxPromptBytes) {
      throw Error(ErrorKind::kTooLarge, "the prompt on standard input is longer than " +
                                            std::to_string(kMaxPromptBytes) + " bytes");
    }
  }
  return text;
}

std::string PromptOf(const DescribeOptions& options) {
  if (options.prompt && *options.prompt != "-") {
    return *options.prompt;
  }
  if (!options.prompt && !options.images.empty()) {
    return "Describe this image.";
  }
  if (!options.prompt && IsTerminal(stdin)) {
    throw Error(ErrorKind::kInvalidArgument,
                "give --image, --prompt or a prompt on standard input");
  }
  return ReadStandardInput();
}

void Print(const std::string& text, std::FILE* file) {
  const std::string printable = PrintableOn(file, text);
  if (std::fwrite(printable.data(), 1, printable.size(), file) != printable.size() ||
      std::fflush(file) != 0) {
    throw Error(ErrorKind::kUnavailable, "cannot write the answer: its reader is gone");
  }
}

void PrintTiming(const TextResult& result, const ModelInfo& info) {
  const double rate = result.decode_ms > 0
                          ? static_cast<double>(result.generated_tokens) * 1000 / result.decode_ms
                          : 0;
  std::fprintf(stderr,
               "%s on %s: load %.2f s, prefill %lld tokens (%lld of pictures) %.2f s, %lld tokens "
               "%.2f s (%.1f tokens/s), %s, seed %llu\n",
               info.name.c_str(), info.device.c_str(), info.load_ms / 1000,
               static_cast<long long>(result.prompt_tokens),
               static_cast<long long>(result.image_tokens), result.prefill_ms / 1000,
               static_cast<long long>(result.generated_tokens), result.decode_ms / 1000, rate,
               FinishReasonName(result.finish_reason),
               static_cast<unsigned long long>(result.seed));
}

void PrintJson(const TextResult& result, const ModelInfo& info) {
  const nlohmann::ordered_json json = {{"text", result.text},
                                       {"thinking", result.thinking},
                                       {"ids", result.ids},
                                       {"prompt_tokens", result.prompt_tokens},
                                       {"image_tokens", result.image_tokens},
                                       {"generated_tokens", result.generated_tokens},
                                       {"finish_reason", FinishReasonName(result.finish_reason)},
                                       {"seed", result.seed},
                                       {"load_ms", info.load_ms},
                                       {"prefill_ms", result.prefill_ms},
                                       {"decode_ms", result.decode_ms},
                                       {"model", info.name},
                                       {"device", info.device}};
  Print(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n", stdout);
}

// Submits and prints pieces until the end. Throws the request's error.
TextResult Converse(Engine& engine, TextRequest request, bool quiet) {
  // Shared: an error below leaves while the engine still has events to give.
  const auto queue = std::make_shared<EventQueue<Event>>();
  const std::shared_ptr<Job> job =
      engine.Submit(std::move(request), [queue](Event event) { queue->Push(std::move(event)); });
  auto progress = std::make_unique<Progress>("reading the prompt");
  while (true) {
    const std::optional<Event> event = queue->Pop();
    if (Interrupted()) {
      job->Cancel();
    }
    if (!event) {
      continue;
    }
    progress.reset();
    if (const auto* piece = std::get_if<TextPiece>(&*event)) {
      if (!quiet) {
        Print(piece->text, piece->thinking ? stderr : stdout);
      }
    } else if (const auto* error = std::get_if<Error>(&*event)) {
      throw *error;
    } else {
      return std::get<TextResult>(*event);
    }
  }
}

void Describe(const DescribeOptions& options) {
  TextRequest request = options.request;
  for (const std::string& image : options.images) {
    request.parts.emplace_back(ReadPictureFile(image));
  }
  const std::string prompt = PromptOf(options);
  if (!prompt.empty()) {
    request.parts.emplace_back(prompt);
  }
  const std::unique_ptr<Engine> engine = LoadEngine(options.engine);
  CatchInterrupts();
  const TextResult result = Converse(*engine, std::move(request), options.json);
  if (options.json) {
    PrintJson(result, engine->info());
  } else {
    Print("\n", stdout);
    PrintTiming(result, engine->info());
  }
  if (result.finish_reason == FinishReason::kCancelled) {
    throw Error(ErrorKind::kCancelled, "interrupted");
  }
}

}  // namespace

void AddDescribe(CLI::App& app) {
  auto options = std::make_shared<DescribeOptions>();
  CLI::App& command = *app.add_subcommand("describe", "Answers a question about pictures");
  AddEngineOptions(command, options->engine);
  TextRequest& request = options->request;
  SamplingOptions& sampling = request.sampling;
  command.add_option("--image", options->images, "A JPEG, PNG or WebP file; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command.add_option("--prompt", options->prompt,
                     "The question, \"-\" = from standard input; with a picture: Describe this "
                     "image.");
  command.add_option("--system", request.system, "A text before everything else");
  command.add_flag("--think", request.think, "Think first; the thoughts go to standard error");
  command.add_option("--num-predict", request.num_predict, "Most tokens to answer, -1 = no limit")
      ->capture_default_str();
  command.add_option("--seed", request.seed, "Makes the answer repeatable; without it random")
      ->check(SeedNumber());
  command.add_option("--stop", request.stop, "A text that ends the answer; may be repeated")
      ->allow_extra_args(false);
  command.add_option("--temperature", sampling.temperature, "0 = always the likeliest token")
      ->capture_default_str();
  command.add_option("--top-k", sampling.top_k, "0 = off")->capture_default_str();
  command.add_option("--top-p", sampling.top_p, "1 = off")->capture_default_str();
  command.add_option("--min-p", sampling.min_p, "0 = off")->capture_default_str();
  command.add_option("--repeat-penalty", sampling.repeat_penalty, "1 = off")->capture_default_str();
  command.add_option("--repeat-last-n", sampling.repeat_last_n, "Tokens looked back on, -1 = all")
      ->capture_default_str();
  command.add_option("--presence-penalty", sampling.presence_penalty, "0 = off")
      ->capture_default_str();
  command.add_option("--frequency-penalty", sampling.frequency_penalty, "0 = off")
      ->capture_default_str();
  command.add_flag("--json", options->json, "One JSON object instead of text and timing");
  command.footer("Example: bagel describe --image cat.jpg --prompt \"What is it doing?\"");
  command.callback([options] { Describe(*options); });
}

}  // namespace bagel
