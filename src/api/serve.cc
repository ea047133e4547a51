#include "api/serve.h"

#include <utility>

namespace bagel::api {
namespace {

Router RoutesOf(OllamaApi& ollama) {
  Router router;
  ollama.AddRoutes(router);
  return router;
}

ServerOptions WithErrorBody(ServerOptions options) {
  options.error_body = ErrorBody;
  return options;
}

}  // namespace

Service::Service(Engine& engine, OllamaOptions ollama, ServerOptions http)
    : ollama_(engine, std::move(ollama)),
      http_(WithErrorBody(std::move(http)), RoutesOf(ollama_)) {}

}  // namespace bagel::api
