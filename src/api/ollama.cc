#include "api/ollama.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <new>
#include <utility>
#include <vector>

#include "api/api_error.h"
#include "api/generate_call.h"
#include "api/go_text.h"
#include "api/ollama_request.h"
#include "api/picture_call.h"
#include "api/pictures.h"

namespace bagel::api {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kDefaultPrompt = "Describe this image.";
// What is understood but contradicts itself or means something this model has no way to do.
void CheckCombination(const GenerateRequest& request, const std::string& short_name) {
  if (request.raw && (request.has_template || !request.system.empty() || request.has_context)) {
    throw Error(ErrorKind::kInvalidArgument,
                "raw mode does not support template, system, or context");
  }
  if (request.has_suffix) {
    throw Error(ErrorKind::kInvalidArgument,
                "registry.ollama.ai/library/" + short_name + ":latest does not support insert");
  }
  if (request.has_template) {
    throw Error(ErrorKind::kUnsupported, "template: the model has no prompt template");
  }
}

TextRequest MakeTextRequest(GenerateRequest& request, std::vector<Part> parts, int num_predict) {
  TextRequest text;
  text.system = std::move(request.system);
  text.parts = std::move(parts);
  text.parts.emplace_back(request.prompt ? std::move(*request.prompt)
                                         : std::string(kDefaultPrompt));
  text.think = request.think;
  text.sampling = request.sampling;
  text.seed = request.seed;
  text.stop = std::move(request.stop);
  text.num_predict = request.num_predict.value_or(num_predict);
  return text;
}

}  // namespace

std::string ErrorBody(std::string_view message) {
  return DumpJson({{"error", std::string(message)}});
}

std::string ParameterSize(int64_t parameters) {
  struct Unit {
    double scale;
    const char* suffix;
  };
  constexpr std::array<Unit, 3> kUnits = {{{1e9, "B"}, {1e6, "M"}, {1e3, "K"}}};
  const auto count = static_cast<double>(parameters);
  for (const Unit& unit : kUnits) {
    if (count >= unit.scale) {
      std::array<char, 32> text{};
      std::snprintf(text.data(), text.size(), "%.1f%s", count / unit.scale, unit.suffix);
      return text.data();
    }
  }
  return std::to_string(parameters);
}

OllamaApi::OllamaApi(Engine& engine, OllamaOptions options)
    : engine_(engine),
      options_(std::move(options)),
      names_(engine.info().name),
      picture_budget_(std::make_shared<http::Budget>(options_.picture_bytes)) {}

void OllamaApi::AddRoutes(http::Router& router) {
  using Reply = std::shared_ptr<http::HttpReply>;
  const auto hello = [](const http::HttpRequest&, const Reply& reply) {
    reply->Send(200, "text/plain; charset=utf-8", "Ollama is running");
  };
  const auto version = [this](const http::HttpRequest&, const Reply& reply) {
    reply->Send(200, kJsonType, DumpJson({{"version", options_.version}}));
  };
  const auto tags = [this](const http::HttpRequest&, const Reply& reply) { Tags(reply); };
  const auto generate = [this](http::HttpRequest request, const Reply& reply) {
    Generate(std::move(request), reply);
  };
  for (const char* method : {"GET", "HEAD"}) {
    router.Add(method, "/", http::Work::kLight, hello);
    router.Add(method, "/api/version", http::Work::kLight, version);
    router.Add(method, "/api/tags", http::Work::kLight, tags);
  }
  router.Add("POST", "/api/generate", http::Work::kHeavy, generate);
}

void OllamaApi::Tags(const std::shared_ptr<http::HttpReply>& reply) const {
  const ModelInfo& info = engine_.info();
  ordered_json models = ordered_json::array();
  for (const std::string& name : names_.Listed(info.picture.has_value())) {
    models.push_back(
        {{"name", name},
         {"model", name},
         {"modified_at", FormatTime(info.modified_unix_ns)},
         {"size", info.bytes},
         {"digest", info.digest},
         {"details",
          {{"parent_model", ""},
           {"format", "safetensors"},
           {"family", "bagel"},
           {"families", {"bagel"}},
           {"parameter_size", ParameterSize(info.parameters)},
           {"quantization_level", info.quantization},
           {"context_length", info.context_tokens},
           {"embedding_length", info.hidden_size}}},
         {"capabilities", names_.HasImageTag(name) ? ordered_json{"image"}
                                                   : ordered_json{"completion", "vision"}}});
  }
  reply->Send(200, kJsonType, DumpJson({{"models", models}}));
}

// The name to answer with. Throws ApiError 404 for a model that is not served.
std::string OllamaApi::ServedName(const std::string* requested) const {
  if (requested == nullptr) {
    return names_.short_name();
  }
  if (!names_.Matches(*requested)) {
    throw ApiError(404, "model '" + requested->substr(0, 200) + "' not found");
  }
  return *requested;
}

void OllamaApi::Generate(http::HttpRequest http, const std::shared_ptr<http::HttpReply>& reply) {
  try {
    RunGenerate(std::move(http), reply);
  } catch (const Error& error) {
    SendError(*reply, error);
  } catch (const std::bad_alloc&) {
    SendError(*reply, Error(ErrorKind::kOutOfMemory, "out of memory"));
  }
}

void OllamaApi::RunGenerate(http::HttpRequest http, const std::shared_ptr<http::HttpReply>& reply) {
  GenerateRequest request = ParseGenerateRequest(http.body, options_.max_images);
  std::string().swap(http.body);
  const std::string model = ServedName(request.model ? &*request.model : nullptr);
  CheckCombination(request, names_.short_name());
  ApplyOptions(request);
  if (request.prompt ? request.prompt->empty() : request.images.empty()) {
    ordered_json line = AnswerLine(model);
    line["response"] = "";
    line["done"] = true;
    line["done_reason"] = request.unload ? "unload" : "load";
    reply->Send(200, kJsonType, DumpJson(line));
    return;
  }
  CheckTextBytes(request.system.size() + (request.prompt ? request.prompt->size() : 0) +
                     request.picture.negative.value_or("").size(),
                 engine_.info().context_tokens);
  http::BudgetShare share(picture_budget_);
  std::vector<Part> parts = DecodePictures(request.images, options_.picture_limits, share);
  if (reply->cancelled()) {
    return;
  }
  if (request.picture.WantsPicture() || ModelNames::HasImageTag(model)) {
    Draw(std::move(request), model, std::move(parts), std::move(share), http.received, reply);
    return;
  }
  GenerateCall::Settings settings;
  settings.model = model;
  settings.stream = request.stream;
  settings.with_context = !request.raw;
  settings.received = http.received;
  settings.submitted = std::chrono::steady_clock::now();
  const auto call = std::make_shared<GenerateCall>(reply, std::move(settings), std::move(share));
  const std::shared_ptr<Job> job =
      engine_.Submit(MakeTextRequest(request, std::move(parts), options_.num_predict),
                     [call](const Event& event) { call->On(event); });
  reply->OnCancel([job] { job->Cancel(); });
}

void OllamaApi::Draw(GenerateRequest request, const std::string& model, std::vector<Part> parts,
                     http::BudgetShare share, std::chrono::steady_clock::time_point received,
                     const std::shared_ptr<http::HttpReply>& reply) {
  constexpr int kOllamasLargest = 4096;
  if (request.picture.width.value_or(0) > kOllamasLargest ||
      request.picture.height.value_or(0) > kOllamasLargest) {
    throw Error(ErrorKind::kInvalidArgument, "width and height must be <= 4096");
  }
  std::vector<Part> inputs;
  if (!request.system.empty()) {
    inputs.emplace_back(std::move(request.system));
  }
  std::move(parts.begin(), parts.end(), std::back_inserter(inputs));
  inputs.emplace_back(request.prompt.value_or(""));
  PictureRequest picture = MakePictureRequest(request.picture, std::move(inputs),
                                              engine_.info().picture.value_or(PictureSize()));
  picture.think = request.think;
  PictureCall::Settings settings;
  settings.model = model;
  settings.stream = request.stream;
  settings.recipe = RecipeOf(picture, engine_.info().name);
  settings.received = received;
  settings.submitted = std::chrono::steady_clock::now();
  const auto call = std::make_shared<PictureCall>(reply, std::move(settings), std::move(share));
  const std::shared_ptr<Job> job = engine_.SubmitPicture(
      std::move(picture), [call](const PictureEvent& event) { call->On(event); });
  reply->OnCancel([job] { job->Cancel(); });
}

}  // namespace bagel::api
