#include "vision/language_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "http/http_server.h"
#include "http/router.h"

namespace bagel::vision {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kOllama =
    "{\"message\":{\"role\":\"assistant\",\"content\":\"You look \"},\"done\":false}\n"
    "{\"message\":{\"content\":\"well.\"},\"done\":false}\n"
    "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n";
constexpr const char* kOpenAi =
    ": a comment\n\n"
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"You look \"}}]}\r\n\r\n"
    "event: chunk\ndata:{\"choices\":[{\"delta\":{\"content\":\"well.\"}}]}\n\n"
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"total_tokens\":4}}\n\ndata: [DONE]\n\n";

LanguageModelOptions Options(const std::string& url, const std::string& model) {
  LanguageModelOptions options;
  options.url = url;
  options.model = model;
  options.first_word = options.total = 2s;
  return options;
}

// Answers every chat with the same bytes.
class TextModel {
 public:
  explicit TextModel(std::string answer, int status = 200) {
    http::Router router;
    for (const char* path : {"/api/chat", "/v1/chat/completions"})
      router.Add("POST", path, http::Work::kLight,
                 [=, this](const http::HttpRequest& request,
                           const std::shared_ptr<http::HttpReply>& reply) {
                   body_ = json::parse(request.body);
                   reply->Send(status, "text/plain", answer);
                 });
    http::ServerOptions options;
    options.port = 0;
    server_ = std::make_unique<http::HttpServer>(options, std::move(router));
  }

  LanguageModel Model(const std::string& path = "") const {
    return LanguageModel(
        Options("http://127.0.0.1:" + std::to_string(server_->port()) + path, "words"));
  }
  const json& body() const { return body_; }

 private:
  json body_;
  std::unique_ptr<http::HttpServer> server_;
};

std::string ErrorOf(const LanguageModel& model) {
  try {
    static_cast<void>(model.Answer("Hello", ""));
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(LanguageModelTest, StreamsFromBothKindsOfServers) {
  for (const auto& [path, answer] : {std::pair("", kOllama), std::pair("/v1/", kOpenAi)}) {
    const TextModel stand_in(answer);
    std::vector<std::string> words;
    const ModelAnswer result =
        stand_in.Model(path).Answer("How do I look?", "VISION REPORT\nMood: happy\n",
                                    [&](std::string_view piece) { words.emplace_back(piece); });
    EXPECT_EQ(result.text, "You look well.");
    EXPECT_THAT(words, testing::ElementsAre("You look ", "well."));
    const json& body = stand_in.body();
    EXPECT_EQ(body["model"], "words");
    EXPECT_EQ(body["stream"], true);
    EXPECT_EQ(body["messages"][0]["role"], "system");
    EXPECT_EQ(body["messages"][1]["role"], "user");
    EXPECT_EQ(body["messages"][1]["content"],
              "VISION REPORT\nMood: happy\n\nThe person says: How do I look?");
  }
}

TEST(LanguageModelTest, WithoutAReportThereAreThePersonsWordsAlone) {
  const TextModel stand_in(kOllama);
  static_cast<void>(stand_in.Model().Answer("Hello \xff", ""));
  EXPECT_EQ(stand_in.body()["messages"][1]["content"], "Hello \ufffd");
}

TEST(LanguageModelTest, NamesWhatIsWrong) {
  const char* openai_error = R"({"error":{"message":"no such model\u001b[2J","type":"x"}})";
  EXPECT_THAT(ErrorOf(TextModel(openai_error, 404).Model("/v1")),
              HasSubstr("status 404: no such model [2J"));
  EXPECT_THAT(ErrorOf(TextModel(R"({"error":"loading"})", 503).Model()), HasSubstr("loading"));
  EXPECT_THAT(ErrorOf(TextModel("<html>").Model()), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf(TextModel("data: <html>\n\n").Model("/v1")), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf(TextModel("data: {\"choices\":[{\"delta\":7}]}\n\n").Model("/v1")),
              HasSubstr("ended in the middle"));
  EXPECT_THAT(ErrorOf(TextModel(std::string("data: ") + openai_error + "\n\n").Model("/v1")),
              HasSubstr("no such model"));
  EXPECT_THAT(ErrorOf(TextModel("[1]\n").Model()), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf(TextModel(R"({"message":"text","done":1})").Model()),
              HasSubstr("ended in the middle"));
  EXPECT_THROW(LanguageModel(Options("ftp://x", "m")), Error);
  EXPECT_THROW(LanguageModel(Options("http://127.0.0.1:1", "")), Error);
  EXPECT_THAT(ErrorOf(LanguageModel(Options("http://127.0.0.1:1", "m"))),
              HasSubstr("does not answer"));
}

}  // namespace
}  // namespace bagel::vision
