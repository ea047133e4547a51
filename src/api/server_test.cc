// What clients see when they behave.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "api/test_server.h"

namespace bagel::api {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

TEST(Generate, AnswersTheStoryInOneObject) {
  TestServer server;
  const http::TestResponse response = server.Post(StoryRequest());
  ASSERT_EQ(response.status, 200);
  EXPECT_TRUE(response.HasHeader("Content-Type: application/json; charset=utf-8\r\n"));
  const json answer = json::parse(response.body);
  EXPECT_EQ(answer["model"], "bagel-7b-mot");
  EXPECT_EQ(answer["response"], "A red ball.");
  EXPECT_EQ(answer["done"], true);
  EXPECT_EQ(answer["done_reason"], "stop");
  EXPECT_EQ(answer["context"], (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(answer["prompt_eval_count"], 70);
  EXPECT_EQ(answer["eval_count"], 4);
  EXPECT_EQ(answer["prompt_eval_duration"], 12'500'000);
  EXPECT_EQ(answer["eval_duration"], 7'000'000);
  EXPECT_GE(answer["total_duration"], 1);
  EXPECT_GE(answer["load_duration"], 1);
  EXPECT_EQ(answer["created_at"].get<std::string>().size(), 30U);

  const TextRequest request = server.engine.last();
  ASSERT_EQ(request.parts.size(), 2U);
  EXPECT_EQ(std::get<Picture>(request.parts[0]).width, 8);
  EXPECT_EQ(std::get<Picture>(request.parts[0]).height, 6);
  EXPECT_EQ(std::get<std::string>(request.parts[1]), "Describe this image.");
  EXPECT_EQ(request.num_predict, 150);
  EXPECT_FLOAT_EQ(request.sampling.temperature, 0.3F);
}

TEST(Generate, StreamsLinesByDefault) {
  TestServer server;
  const http::TestResponse response = server.Post(R"({"prompt":"hi"})");
  ASSERT_EQ(response.status, 200);
  EXPECT_TRUE(response.complete);
  EXPECT_TRUE(response.HasHeader("Content-Type: application/x-ndjson\r\n"));
  const std::vector<json> lines = Lines(response.body);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["response"], "A red");
  EXPECT_EQ(lines[0]["done"], false);
  EXPECT_EQ(lines[1]["response"], " ball.");
  EXPECT_EQ(lines[2]["response"], "");
  EXPECT_EQ(lines[2]["done"], true);
  EXPECT_EQ(lines[2]["model"], "Demo-Model");
  EXPECT_EQ(server.engine.last().num_predict, 150);
}

TEST(Generate, SendsPiecesAsTheyCome) {
  TestServer server;
  server.engine.Play({.pieces = {{"x", false}}, .repeat = 3, .pause = milliseconds(150)});
  http::TestClient client(server.port());
  client.Send(http::PostText("/api/generate", R"({"prompt":"hi"})"));
  EXPECT_NE(client.ReadSome().find("HTTP/1.1 200"), std::string::npos);
  EXPECT_EQ(server.engine.ended(), 0);
}

TEST(Generate, APictureAloneGetsTheDefaultPrompt) {
  TestServer server;
  EXPECT_EQ(server.Post(R"({"images":[")" + PngBase64(4, 4) + R"("]})").status, 200);
  EXPECT_EQ(std::get<std::string>(server.engine.last().parts.at(1)), "Describe this image.");
}

TEST(Generate, AnEmptyPromptLoadsOrUnloads) {
  TestServer server;
  const http::TestResponse load = server.Post(R"({"model":"demo-model:latest","prompt":""})");
  const json answer = json::parse(load.body);
  EXPECT_EQ(answer["done_reason"], "load");
  EXPECT_EQ(answer["response"], "");
  EXPECT_EQ(answer["model"], "demo-model:latest");
  EXPECT_FALSE(answer.contains("total_duration"));
  EXPECT_EQ(json::parse(server.Post(R"({"keep_alive":0})").body)["done_reason"], "unload");
  EXPECT_EQ(server.engine.submitted(), 0);
}

TEST(Generate, SeparatesThinking) {
  TestServer server;
  server.engine.Play({.pieces = {{"hm ", true}, {" Yes.", false}}});
  const json answer =
      json::parse(server.Post(R"({"prompt":"hi","think":true,"stream":false})").body);
  EXPECT_EQ(answer["thinking"], "hm");
  EXPECT_EQ(answer["response"], "Yes.");
  EXPECT_TRUE(server.engine.last().think);
}

TEST(Generate, AnswersErrorsAsOllamaDoes) {
  TestServer server;
  EXPECT_EQ(ErrorIn(server.Post("")), "400: missing request body");
  EXPECT_EQ(ErrorIn(server.Post("{")), "400: unexpected EOF");
  EXPECT_EQ(ErrorIn(server.Post(R"({"model":"llama"})")), "404: model 'llama' not found");
  EXPECT_EQ(ErrorIn(server.Post(R"({"model":""})")), "404: model '' not found");
  EXPECT_EQ(ErrorIn(server.Post(R"({"images":["@"]})")),
            "400: illegal base64 data at input byte 0");
  EXPECT_TRUE(ErrorIn(server.Post(R"({"images":["bm90IGEgcGljdHVyZQ=="]})"))
                  .starts_with("400: invalid image: "));
  EXPECT_EQ(ErrorIn(server.Post(R"({"prompt":"a","raw":true,"system":"s"})")),
            "400: raw mode does not support template, system, or context");
  EXPECT_EQ(ErrorIn(server.Post(R"({"prompt":"a","suffix":"s"})")),
            "400: registry.ollama.ai/library/Demo-Model:latest does not support insert");
  EXPECT_EQ(ErrorIn(server.Post(R"({"prompt":")" + std::string(3'000'000, 'a') + R"("})")),
            "400: prompt: 3000000 bytes cannot fit into a context of 8192 tokens");
}

TEST(Generate, PassesTheEnginesErrorsOn) {
  TestServer server;
  server.engine.Play(
      {.refusal = Error(ErrorKind::kUnavailable,
                        "server busy, please try again.  maximum pending requests exceeded")});
  EXPECT_EQ(ErrorIn(server.Post(R"({"prompt":"a"})")),
            "503: server busy, please try again.  maximum pending requests exceeded");
  server.engine.Play({.failure = Error(ErrorKind::kInternal, "broke")});
  const http::TestResponse streamed = server.Post(R"({"prompt":"a"})");
  EXPECT_EQ(streamed.status, 200);
  EXPECT_EQ(Lines(streamed.body).back(), json({{"error", "broke"}}));
  EXPECT_EQ(ErrorIn(server.Post(R"({"prompt":"a","stream":false})")), "500: broke");
}

TEST(Listing, AnswersGetAndHead) {
  TestServer server;
  const http::TestResponse hello = http::Fetch(server.port(), http::GetText("/"));
  EXPECT_EQ(hello.body, "Ollama is running");
  EXPECT_TRUE(hello.HasHeader("Content-Type: text/plain; charset=utf-8\r\n"));
  EXPECT_TRUE(json::parse(http::Fetch(server.port(), http::GetText("/api/version?x=1")).body)
                  .contains("version"));
  for (const char* path : {"/", "/api/version", "/api/tags"}) {
    http::TestClient client(server.port());
    client.Send(http::GetText(path, "", "HEAD") + http::GetText("/"));
    const http::TestResponse head = client.Read(true);
    EXPECT_EQ(head.status, 200) << path;
    EXPECT_FALSE(head.HasHeader("Content-Length: 0\r\n")) << path;
    EXPECT_EQ(client.Read().body, "Ollama is running") << path;
  }
}

TEST(Listing, DescribesTheModel) {
  TestServer server;
  const json tags = json::parse(http::Fetch(server.port(), http::GetText("/api/tags")).body);
  ASSERT_EQ(tags["models"].size(), 4U);
  const json& model = tags["models"][0];
  EXPECT_EQ(model["name"], "Demo-Model:latest");
  EXPECT_EQ(model["model"], "Demo-Model:latest");
  EXPECT_EQ(tags["models"][1]["name"], "bagel-7b-mot:latest");
  EXPECT_EQ(model["digest"], std::string(64, 'a'));
  EXPECT_EQ(model["size"], 29'000'000'000);
  EXPECT_EQ(model["modified_at"], "2023-11-14T22:13:20.123456789Z");
  EXPECT_EQ(model["details"]["parameter_size"], "14.7B");
  EXPECT_EQ(model["details"]["families"], json({"bagel"}));
  EXPECT_EQ(model["capabilities"], (json{"completion", "vision"}));
}

TEST(Routing, KnowsWhatItHas) {
  TestServer server;
  const http::TestResponse unknown = http::Fetch(server.port(), http::GetText("/nothing"));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.body, "404 page not found");
  const http::TestResponse method = http::Fetch(server.port(), http::GetText("/api/generate"));
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.body, "405 method not allowed");
  EXPECT_EQ(http::Fetch(server.port(), http::GetText("/", "", "BREW")).status, 405);
}

TEST(Connections, KeepsThemAliveAndAnswersPipelinedRequestsInOrder) {
  TestServer server;
  http::TestClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.Send(http::GetText("/"));
    EXPECT_EQ(client.Read().status, 200);
  }
  client.Send(http::PostText("/api/generate", R"({"prompt":"a"})") + http::GetText("/nothing") +
              http::GetText("/"));
  EXPECT_EQ(Lines(client.Read().body).size(), 3U);
  EXPECT_EQ(client.Read().status, 404);
  EXPECT_EQ(client.Read().body, "Ollama is running");
  client.Send(http::GetText("/", "Connection: close\r\n"));
  EXPECT_TRUE(client.Read().HasHeader("Connection: close\r\n"));
  EXPECT_TRUE(client.ClosedWithin(milliseconds(1000)));
}

TEST(Connections, SpeaksHttp10) {
  TestServer server;
  http::TestClient client(server.port());
  client.Send("POST /api/generate HTTP/1.0\r\nContent-Length: 14\r\n\r\n{\"prompt\":\"a\"}");
  const http::TestResponse response = client.Read();
  EXPECT_TRUE(response.HasHeader("HTTP/1.0 200 OK\r\n"));
  EXPECT_FALSE(response.HasHeader("chunked"));
  EXPECT_EQ(Lines(response.body).size(), 3U);
}

TEST(Connections, TakesChunkedBodiesAndExpect) {
  TestServer server;
  http::TestClient client(server.port());
  client.Send(
      "POST /api/generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Read().status, 100);
  client.Send("7;x=y\r\n{\"promp\r\n");
  client.Send("7\r\nt\":\"a\"}\r\n0\r\nTrailer: 1\r\n\r\n");
  EXPECT_EQ(Lines(client.Read().body).size(), 3U);
  EXPECT_EQ(
      http::Fetch(server.port(), http::PostText("/api/generate", "{}", "Expect: magic\r\n")).status,
      417);
}

TEST(Connections, ChecksHostAndOrigin) {
  http::ServerOptions options;
  options.guard.allowed_hosts = {"eyes.example"};
  options.guard.allowed_origins = {"https://page.example"};
  TestServer server(options);
  const auto get = [&](const std::string& headers) {
    return http::Fetch(server.port(), "GET / HTTP/1.1\r\n" + headers + "\r\n");
  };
  EXPECT_EQ(get("Host: localhost\r\n").status, 200);
  EXPECT_EQ(get("Host: eyes.example:1\r\n").status, 200);
  const http::TestResponse rebound = get("Host: evil.example\r\n");
  EXPECT_EQ(rebound.status, 403);
  EXPECT_EQ(rebound.body, "");
  EXPECT_EQ(get("").status, 400);
  EXPECT_EQ(get("Host: localhost\r\nHost: localhost\r\n").status, 400);
  EXPECT_EQ(get("Host: localhost\r\nOrigin: https://evil.example\r\n").status, 403);
  EXPECT_TRUE(get("Host: localhost\r\nOrigin: https://page.example\r\n")
                  .HasHeader("Access-Control-Allow-Origin: https://page.example\r\n"));
  const http::TestResponse preflight =
      http::Fetch(server.port(),
                  http::GetText("/api/generate", "Origin: http://localhost:3000\r\n", "OPTIONS"));
  EXPECT_EQ(preflight.status, 204);
  EXPECT_TRUE(preflight.HasHeader("Access-Control-Allow-Methods: GET,POST,"));
  EXPECT_EQ(http::Fetch(server.port(), http::GetText("http://localhost/")).status, 400);
}

TEST(Connections, ServesManyAtOnce) {
  TestServer server;
  server.engine.Play({.pieces = {{"x", false}}, .repeat = 5, .pause = milliseconds(10)});
  std::vector<std::unique_ptr<http::TestClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<http::TestClient>(server.port()));
    clients.back()->Send(http::PostText("/api/generate", R"({"prompt":"a"})"));
  }
  for (const auto& client : clients) {
    EXPECT_EQ(Lines(client->Read().body).size(), 6U);
  }
  EXPECT_EQ(server.engine.submitted(), 100);
}

}  // namespace
}  // namespace bagel::api
