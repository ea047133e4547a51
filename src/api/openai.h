// OpenAI's picture endpoints on top of an engine.
#ifndef BAGEL_API_OPENAI_H_
#define BAGEL_API_OPENAI_H_

#include <memory>

#include "api/http_message.h"
#include "api/http_reply.h"
#include "api/names.h"
#include "api/ollama.h"
#include "api/router.h"
#include "engine/engine.h"

namespace bagel::api {

// POST /v1/images/generations and /v1/images/edits; must outlive the server that calls them.
class OpenAiApi {
 public:
  // Decoded pictures count against `picture_budget`.
  OpenAiApi(Engine& engine, OllamaOptions options, std::shared_ptr<Budget> picture_budget);

  void AddRoutes(Router& router);

 private:
  void Images(HttpRequest http, bool edit, const std::shared_ptr<HttpReply>& reply);
  void RunImages(HttpRequest http, bool edit, const std::shared_ptr<HttpReply>& reply);

  Engine& engine_;
  const OllamaOptions options_;
  const ModelNames names_;
  const std::shared_ptr<Budget> picture_budget_;
};

}  // namespace bagel::api

#endif  // BAGEL_API_OPENAI_H_
