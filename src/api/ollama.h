// Ollama's API on top of an engine.
#ifndef BAGEL_API_OLLAMA_H_
#define BAGEL_API_OLLAMA_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/names.h"
#include "api/ollama_request.h"
#include "engine/engine.h"
#include "formats/picture.h"
#include "http/budget.h"
#include "http/http_message.h"
#include "http/http_reply.h"
#include "http/router.h"

namespace bagel::api {

struct OllamaOptions {
  std::string version = "0.33.0-bagel";  // clients compare the number in front
  int num_predict = 150;                 // of a request that names none
  std::size_t max_images = 16;           // in one request
  PictureLimits picture_limits;
  int64_t picture_bytes = int64_t{1} << 30;  // decoded pictures of all requests together
};

// The endpoints; must outlive the server that calls them.
class OllamaApi {
 public:
  OllamaApi(Engine& engine, OllamaOptions options);

  // One line for each endpoint: what is not listed there is 404.
  void AddRoutes(http::Router& router);

  const std::shared_ptr<http::Budget>& picture_budget() const { return picture_budget_; }

 private:
  void Generate(http::HttpRequest http, const std::shared_ptr<http::HttpReply>& reply);
  void RunGenerate(http::HttpRequest http, const std::shared_ptr<http::HttpReply>& reply);
  void Draw(GenerateRequest request, const std::string& model, std::vector<Part> parts,
            http::BudgetShare share, std::chrono::steady_clock::time_point received,
            const std::shared_ptr<http::HttpReply>& reply);
  void Tags(const std::shared_ptr<http::HttpReply>& reply) const;
  std::string ServedName(const std::string* requested) const;

  Engine& engine_;
  const OllamaOptions options_;
  const ModelNames names_;
  const std::shared_ptr<http::Budget> picture_budget_;
};

// {"error": message}, for Ollama's endpoints and the server's own errors.
std::string ErrorBody(std::string_view message);

// "14.7B", "9.9M", "512": a number of parameters as Ollama's listings show it.
std::string ParameterSize(int64_t parameters);

}  // namespace bagel::api

#endif  // BAGEL_API_OLLAMA_H_
