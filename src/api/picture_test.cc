// Pictures over HTTP, as Ollama's and OpenAI's clients see them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "api/test_server.h"
#include "engine/recipe.h"

namespace bagel::api {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr const char* kGenerations = "/v1/images/generations";
constexpr const char* kEdits = "/v1/images/edits";

// The data of server-sent events.
std::vector<json> Events(const std::string& body) {
  std::vector<json> events;
  for (size_t at = 0; at < body.size();) {
    const size_t data = body.find("data: ", at) + 6, end = body.find("\n\n", at);
    events.push_back(json::parse(body.substr(data, end - data)));
    if (events.back().contains("type")) {
      EXPECT_EQ(body.substr(at, data - 7 - at),
                "event: " + events.back()["type"].get<std::string>());
    }
    at = end + 2;
  }
  return events;
}

Picture PictureIn(const json& base64) {
  return DecodePicture(DecodeBase64(base64.get<std::string>()));
}

TEST(OllamaPictures, StreamsEveryStepAndThenThePicture) {
  TestServer server;
  const http::TestResponse response =
      server.Post(R"({"model":"demo-model","prompt":"a cat","width":128,"height":160,"steps":4,
                      "options":{"seed":42}})");
  ASSERT_EQ(response.status, 200);
  EXPECT_TRUE(response.HasHeader("Content-Type: application/x-ndjson\r\n"));
  const std::vector<json> lines = Lines(response.body);
  ASSERT_EQ(lines.size(), 6U);
  for (size_t step = 0; step < 5; ++step) {
    const json& line = lines[step];
    EXPECT_EQ(line["model"], "demo-model");
    EXPECT_EQ(line["response"], "");
    EXPECT_EQ(line["done"], false);
    EXPECT_EQ(line["total"], 4);
    EXPECT_EQ(line.contains("completed"), step > 0);
    if (step > 0) {
      EXPECT_EQ(line["completed"], step);
    }
  }
  const json& last = lines.back();
  EXPECT_EQ(last["done"], true);
  EXPECT_EQ(last["done_reason"], "stop");
  EXPECT_EQ(last["response"], "");
  EXPECT_EQ(last["seed"], 42);
  EXPECT_GT(last["total_duration"], 0);
  EXPECT_GT(last["load_duration"], 0);
  EXPECT_FALSE(last.contains("completed") || last.contains("eval_count"));
  const Picture picture = PictureIn(last["image"]);
  EXPECT_EQ(picture.width, 128);
  EXPECT_EQ(picture.height, 160);
  const PictureRecipe recipe = ReadRecipe(
      ReadPngTexts(DecodeBase64(last["image"].get<std::string>())), "the server's picture");
  EXPECT_EQ(recipe.prompt, "a cat");
  EXPECT_EQ(recipe.seed, 42U);
  EXPECT_EQ(recipe.flow.steps, 4);
}

TEST(OllamaPictures, AnswersInOneObject) {
  TestServer server;
  const http::TestResponse response = server.Post(
      R"({"model":"demo-model:image","prompt":"a","stream":false,"think":true,"system":"s"})");
  ASSERT_EQ(response.status, 200);
  const json answer = json::parse(response.body);
  EXPECT_EQ(PictureIn(answer["image"]).width, 256);
  EXPECT_EQ(answer["thinking"], "a plan");
  EXPECT_EQ(answer["model"], "demo-model:image");
  const PictureRequest request = server.engine.last_picture();
  EXPECT_FALSE(request.size || request.seed);
  EXPECT_TRUE(request.think);
  EXPECT_EQ(request.flow, FlowSettings());
  EXPECT_EQ(std::get<std::string>(request.parts.at(0)), "s");
  EXPECT_EQ(std::get<std::string>(request.parts.at(1)), "a");
}

TEST(OllamaPictures, PicturesInTheRequestAreChanged) {
  TestServer server;
  EXPECT_EQ(server
                .Post(R"({"prompt":"blue","steps":3,"images":[")" + PngBase64(8, 6) + R"(",")" +
                      PngBase64(6, 8) + R"("]})")
                .status,
            200);
  const PictureRequest request = server.engine.last_picture();
  ASSERT_EQ(request.parts.size(), 3U);
  EXPECT_EQ(std::get<Picture>(request.parts[1]).height, 8);
  EXPECT_EQ(request.flow.renorm, Renorm::kTextChannel);
}

TEST(OllamaPictures, RefusesBeforeAnyWork) {
  TestServer server;
  EXPECT_EQ(ErrorIn(server.Post(R"({"prompt":"a","width":5000})")),
            "400: width and height must be <= 4096");
  EXPECT_EQ(ErrorIn(server.Post(R"({"prompt":"a","steps":10000})")),
            "400: steps is 10000, expected 2 to 1000");
  EXPECT_EQ(ErrorIn(server.Post(R"({"prompt":"a","steps":-1})")),
            "400: steps is -1, expected 2 to 1000");
  EXPECT_EQ(ErrorIn(server.Post(R"({"prompt":"a","steps":0})")),
            "400: steps is 0, expected 2 to 1000");
  EXPECT_EQ(ErrorIn(server.Post(R"({"prompt":"a","options":{"steps":0}})")),
            "400: steps is 0, expected 2 to 1000");
  EXPECT_EQ(ErrorIn(server.Post(R"({"prompt":"a","options":{"steps":2.5}})")),
            "400: steps is 2.5, expected a whole number");
  EXPECT_EQ(ErrorIn(server.PostTo(kGenerations, R"({"prompt":"a","num_inference_steps":0})")),
            "400: steps is 0, expected 2 to 1000");
  EXPECT_EQ(ErrorIn(server.PostTo(kGenerations, R"({"prompt":"a","n":1.5})")),
            "400: n is 1.5, expected a whole number");
  EXPECT_EQ(json::parse(server.Post(R"({"prompt":"","width":128})").body)["done_reason"], "load");
  server.engine.Play({.refusal = Error(ErrorKind::kUnsupported, "no drawing half")});
  EXPECT_EQ(ErrorIn(server.Post(R"({"prompt":"a","width":128})")), "501: no drawing half");
  EXPECT_EQ(server.engine.submitted(), 0);
}

TEST(OllamaPictures, AFailureOnTheWayIsTheLastLine) {
  TestServer server;
  server.engine.Play({.failure = Error(ErrorKind::kInternal, "broke")});
  EXPECT_EQ(Lines(server.Post(R"({"prompt":"a","steps":3})").body).back(),
            json({{"error", "broke"}}));
}

TEST(OllamaPictures, AClientThatLeavesStopsTheDrawing) {
  TestServer server;
  server.engine.Play({.pause = milliseconds(20)});
  for (const char* path : {"/api/generate", kGenerations}) {
    const int before = server.engine.cancelled(), submitted = server.engine.submitted();
    {
      http::TestClient client(server.port());
      client.Send(http::PostText(path, R"({"prompt":"a","steps":1000,"stream":true,"n":5})"));
      EXPECT_TRUE(http::Eventually([&] { return server.engine.submitted() > submitted; }));
    }
    EXPECT_TRUE(http::Eventually([&] { return server.engine.cancelled() == before + 1; }));
    EXPECT_TRUE(
        http::Eventually([&] { return server.engine.ended() == server.engine.submitted(); }));
  }
}

TEST(OllamaPictures, AreListedUnderATagOfTheirOwn) {
  TestServer server;
  const json models =
      json::parse(http::Fetch(server.port(), http::GetText("/api/tags")).body)["models"];
  ASSERT_EQ(models.size(), 4U);
  EXPECT_EQ(models[0]["capabilities"], (std::vector<std::string>{"completion", "vision"}));
  EXPECT_EQ(models[2]["name"], "Demo-Model:image");
  EXPECT_EQ(models[2]["capabilities"], std::vector<std::string>{"image"});
}

TEST(OpenAiPictures, DrawsAsManyAsAskedFor) {
  TestServer server;
  const http::TestResponse response = server.PostTo(
      kGenerations, R"({"model":"bagel-7b-mot","prompt":"a cat","n":2,"size":"128x160","seed":5})");
  ASSERT_EQ(response.status, 200);
  const json answer = json::parse(response.body);
  EXPECT_GT(answer["created"], 1'700'000'000);
  EXPECT_EQ(answer["size"], "128x160");
  EXPECT_EQ(answer["usage"]["total_tokens"], 203);
  ASSERT_EQ(answer["data"].size(), 2U);
  EXPECT_EQ(PictureIn(answer["data"][0]["b64_json"]).height, 160);
  EXPECT_EQ(answer["data"][0]["seed"], 5);
  EXPECT_EQ(answer["data"][1]["seed"], 6);
}

TEST(OpenAiPictures, OtherFormatsAndDataUrls) {
  TestServer server;
  const json answer = json::parse(
      server
          .PostTo(kGenerations, R"({"prompt":"a","output_format":"jpeg","response_format":"url"})")
          .body);
  const auto url = answer["data"][0]["url"].get<std::string>();
  EXPECT_TRUE(url.starts_with("data:image/jpeg;base64,/9j/"));
  EXPECT_EQ(DecodePicture(DecodeBase64(StripDataUrl(url))).width, 256);
}

TEST(OpenAiPictures, StreamsPartialPictures) {
  TestServer server;
  const http::TestResponse response =
      server.PostTo(kGenerations, R"({"prompt":"a","stream":true,"partial_images":3,"steps":9})");
  EXPECT_TRUE(response.HasHeader("Content-Type: text/event-stream\r\n"));
  const std::vector<json> events = Events(response.body);
  ASSERT_EQ(events.size(), 4U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(events[i]["type"], "image_generation.partial_image");
    EXPECT_EQ(events[i]["partial_image_index"], i);
    EXPECT_EQ(PictureIn(events[i]["b64_json"]).width, 8);
  }
  EXPECT_EQ(events[3]["type"], "image_generation.completed");
  EXPECT_EQ(PictureIn(events[3]["b64_json"]).width, 256);
  EXPECT_TRUE(events[3].contains("usage"));
}

TEST(OpenAiPictures, EditsFormsAndJson) {
  TestServer server;
  const std::string head = "--b\r\nContent-Disposition: form-data; name=";
  const std::string form = head + "\"prompt\"\r\n\r\nblue\r\n" + head +
                           "\"image\"; filename=\"upload\"\r\n\r\n" + PngBytes(8, 6) +
                           "\r\n--b--\r\n";
  EXPECT_EQ(server.PostTo(kEdits, form, "Content-Type: multipart/form-data; boundary=b\r\n").status,
            200);
  EXPECT_EQ(std::get<Picture>(server.engine.last_picture().parts.at(0)).width, 8);
  const http::TestResponse streamed =
      server.PostTo(kEdits, R"({"prompt":"a","stream":true,"images":[{"image_url":")" +
                                PngBase64(4, 4) + R"("}]})");
  EXPECT_EQ(Events(streamed.body).back()["type"], "image_edit.completed");
  EXPECT_EQ(server.engine.last_picture().flow, EditFlowSettings());
}

TEST(OpenAiPictures, ErrorsAreOpenAis) {
  TestServer server;
  const http::TestResponse missing =
      server.PostTo(kGenerations, R"({"prompt":"a","model":"dall-e"})");
  EXPECT_EQ(json::parse(missing.body),
            json::parse(R"({"error":{"message":"model 'dall-e' not found","type":
                            "not_found_error","param":null,"code":null}})"));
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(ErrorIn(server.PostTo(kGenerations, "{")), "400: unexpected EOF");
  EXPECT_EQ(ErrorIn(server.PostTo(kEdits, R"({"prompt":"a","image":"bm8="})")).substr(0, 19),
            "400: invalid image:");
  server.engine.Play({.refusal = Error(ErrorKind::kUnavailable, "busy")});
  const http::TestResponse busy = server.PostTo(kGenerations, R"({"prompt":"a"})");
  EXPECT_EQ(ErrorIn(busy), "503: busy");
  EXPECT_TRUE(busy.HasHeader("x-should-retry: false\r\n"));
  EXPECT_TRUE(busy.HasHeader("Retry-After: 10\r\n"));
  server.engine.Play({.failure = Error(ErrorKind::kInternal, "broke")});
  EXPECT_EQ(ErrorIn(server.PostTo(kGenerations, R"({"prompt":"a"})")), "500: broke");
  EXPECT_EQ(
      Events(server.PostTo(kGenerations, R"({"prompt":"a","stream":true,"partial_images":1})").body)
          .back()["error"]["message"],
      "broke");
}

}  // namespace
}  // namespace bagel::api
