// The whole server: an engine behind Ollama's API and OpenAI's picture endpoints.
#ifndef BAGEL_API_SERVE_H_
#define BAGEL_API_SERVE_H_

#include <memory>

#include "api/ollama.h"
#include "api/openai.h"
#include "engine/engine.h"
#include "http/http_server.h"

namespace bagel::api {

class Service {
 public:
  // Listens and answers at once. The engine must outlive the service. Throws as HttpServer does.
  Service(Engine& engine, OllamaOptions ollama, http::ServerOptions http);

  http::HttpServer& http() { return http_; }

 private:
  OllamaApi ollama_;
  OpenAiApi openai_;
  http::HttpServer http_;
};

}  // namespace bagel::api

#endif  // BAGEL_API_SERVE_H_
