#include "api/serve.h"

#include <utility>

namespace bagel::api {
namespace {

http::Router RoutesOf(OllamaApi& ollama, OpenAiApi& openai) {
  http::Router router;
  ollama.AddRoutes(router);
  openai.AddRoutes(router);
  return router;
}

http::ServerOptions WithErrorBody(http::ServerOptions options) {
  options.error_body = ErrorBody;
  return options;
}

}  // namespace

Service::Service(Engine& engine, OllamaOptions ollama, http::ServerOptions http)
    : ollama_(engine, ollama),
      openai_(engine, std::move(ollama), ollama_.picture_budget()),
      http_(WithErrorBody(std::move(http)), RoutesOf(ollama_, openai_)) {}

}  // namespace bagel::api
