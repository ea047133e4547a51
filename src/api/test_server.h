// A service on a free port in front of a FakeEngine, for tests.
#ifndef BAGEL_API_TEST_SERVER_H_
#define BAGEL_API_TEST_SERVER_H_

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api/fake_engine.h"
#include "api/serve.h"
#include "formats/base64.h"
#include "formats/picture.h"
#include "http/test_client.h"

namespace bagel::api {

inline http::ServerOptions OnAnyPort(http::ServerOptions options = {}) {
  options.port = 0;
  return options;
}

struct TestServer {
  explicit TestServer(http::ServerOptions options = {}, OllamaOptions ollama = {})
      : service(engine, std::move(ollama), OnAnyPort(std::move(options))) {}

  uint16_t port() { return service.http().port(); }
  http::TestResponse Post(std::string_view body, std::string_view headers = "") {
    return PostTo("/api/generate", body, headers);
  }
  http::TestResponse PostTo(std::string_view path, std::string_view body,
                            std::string_view headers = "") {
    return http::Fetch(port(), http::PostText(path, body, headers));
  }

  FakeEngine engine;
  Service service;
};

inline std::vector<std::byte> PngFile(int width, int height) {
  Picture picture{width, height, {}};
  picture.rgb.assign(static_cast<size_t>(width) * static_cast<size_t>(height) * 3, 200);
  return EncodePng(picture);
}

inline std::string PngBytes(int width, int height) {
  const std::vector<std::byte> file = PngFile(width, height);
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

inline std::string PngBase64(int width, int height) { return EncodeBase64(PngFile(width, height)); }

// The request of the project's story.
inline std::string StoryRequest() {
  return R"({"model":"bagel-7b-mot","prompt":"Describe this image.","images":[")" +
         PngBase64(8, 6) + R"("],"stream":false,"options":{"temperature":0.3,"num_predict":150}})";
}

// A stream's JSON, one text a line.
inline std::vector<nlohmann::json> Lines(const std::string& body) {
  std::vector<nlohmann::json> lines;
  for (size_t at = 0; at < body.size();) {
    const size_t end = body.find('\n', at);
    lines.push_back(nlohmann::json::parse(body.substr(at, end - at)));
    at = end + 1;
  }
  return lines;
}

// "status: text" of an error as Ollama or OpenAI send it.
inline std::string ErrorIn(const http::TestResponse& response) {
  const auto error = nlohmann::json::parse(response.body).at("error");
  return std::to_string(response.status) + ": " +
         (error.is_string() ? error : error.at("message")).get<std::string>();
}

}  // namespace bagel::api

#endif  // BAGEL_API_TEST_SERVER_H_
