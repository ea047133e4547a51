// The whole server: an engine behind Ollama's API and OpenAI's picture endpoints.
#ifndef BAGEL_API_SERVE_H_
#define BAGEL_API_SERVE_H_

#include <memory>

#include "api/http_server.h"
#include "api/ollama.h"
#include "api/openai.h"
#include "engine/engine.h"

namespace bagel::api {

class Service {
 public:
  // Listens and answers at once. The engine must outlive the service. Throws as HttpServer does.
  Service(Engine& engine, OllamaOptions ollama, ServerOptions http);

  HttpServer& http() { return http_; }

 private:
  OllamaApi ollama_;
  OpenAiApi openai_;
  HttpServer http_;
};

}  // namespace bagel::api

#endif  // BAGEL_API_SERVE_H_
