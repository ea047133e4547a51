// OpenAI's picture endpoints on top of an engine.
#ifndef BAGEL_API_OPENAI_H_
#define BAGEL_API_OPENAI_H_

#include <memory>

#include "api/names.h"
#include "api/ollama.h"
#include "engine/engine.h"
#include "http/http_message.h"
#include "http/http_reply.h"
#include "http/router.h"

namespace bagel::api {

// POST /v1/images/generations and /v1/images/edits; must outlive the server that calls them.
class OpenAiApi {
 public:
  // Decoded pictures count against `picture_budget`.
  OpenAiApi(Engine& engine, OllamaOptions options, std::shared_ptr<http::Budget> picture_budget);

  void AddRoutes(http::Router& router);

 private:
  void Images(http::HttpRequest http, bool edit, const std::shared_ptr<http::HttpReply>& reply);
  void RunImages(http::HttpRequest http, bool edit, const std::shared_ptr<http::HttpReply>& reply);

  Engine& engine_;
  const OllamaOptions options_;
  const ModelNames names_;
  const std::shared_ptr<http::Budget> picture_budget_;
};

}  // namespace bagel::api

#endif  // BAGEL_API_OPENAI_H_
