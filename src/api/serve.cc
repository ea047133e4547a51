#include "api/serve.h"

#include <utility>

namespace bagel::api {
namespace {

Router RoutesOf(OllamaApi& ollama, OpenAiApi& openai) {
  Router router;
  ollama.AddRoutes(router);
  openai.AddRoutes(router);
  return router;
}

ServerOptions WithErrorBody(ServerOptions options) {
  options.error_body = ErrorBody;
  return options;
}

}  // namespace

Service::Service(Engine& engine, OllamaOptions ollama, ServerOptions http)
    : ollama_(engine, ollama),
      openai_(engine, std::move(ollama), ollama_.picture_budget()),
      http_(WithErrorBody(std::move(http)), RoutesOf(ollama_, openai_)) {}

}  // namespace bagel::api
