// Thousands of broken requests: whatever comes, the server answers the next client. More of them,
// and others each time, with BAGEL_FUZZ_ROUNDS=N.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>

#include "api/test_server.h"

namespace bagel::api {
namespace {

std::string Mutate(std::string text, std::mt19937& random) {
  const auto below = [&](size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(random);
  };
  const size_t edits = 1 + below(4);
  for (size_t i = 0; i < edits && !text.empty(); ++i) {
    const size_t at = below(text.size());
    switch (below(6)) {
      case 0:
        text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text.erase(at, 1 + below(16));
        break;
      case 2:
        text.insert(at, text.substr(below(text.size()), below(64)));
        break;
      case 3:
        text.insert(at, 1, "{}[]\",:\\0-e\r\n\0 "[below(15)]);
        break;
      case 4:
        text.resize(at);
        break;
      default:
        text.insert(at, std::to_string(std::uniform_int_distribution<int64_t>()(random)));
    }
  }
  return text;
}

int Rounds(int usual) {
  const char* const wanted = std::getenv("BAGEL_FUZZ_ROUNDS");
  return wanted != nullptr ? std::stoi(wanted) : usual;
}

// The usual rounds are the same on every run.
uint32_t Seed(uint32_t usual) {
  return std::getenv("BAGEL_FUZZ_ROUNDS") != nullptr ? std::random_device()() : usual;
}

TEST(Fuzz, BrokenHttp) {
  TestServer server;
  std::mt19937 random(Seed(1));
  const std::string request =
      http::PostText("/api/generate", R"({"prompt":"a"})",
                     "Expect: 100-continue\r\nOrigin: null\r\n") +
      "POST /api/generate HTTP/1.1\r\nHost: [::1]:1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "e\r\n{\"prompt\":\"a\"}\r\n0\r\nA: b\r\n\r\n" +
      http::GetText("/api/tags");
  const int rounds = Rounds(2000);
  for (int i = 0; i < rounds; ++i) {
    http::TestClient client(server.port());
    client.Send(Mutate(request, random));
    if (i % 3 == 0) {
      client.EndSending();
      client.ReadSome();
    }
  }
  EXPECT_EQ(http::Fetch(server.port(), http::GetText("/")).status, 200);
  EXPECT_TRUE(http::Eventually([&] { return server.engine.ended() == server.engine.submitted(); }));
}

TEST(Fuzz, BrokenJson) {
  TestServer server;
  std::mt19937 random(Seed(2));
  const std::string body =
      R"({"model":"bagel-7b-mot","prompt":"Descri\u00e9\ud83d\ude00be","images":[")" +
      PngBase64(8, 6) +
      R"("],"stream":false,"think":"low","keep_alive":"5m","context":[1,2],"format":"",)"
      R"("options":{"temperature":0.3,"num_predict":150,"seed":42,"stop":["x"],"top_k":40}})";
  http::TestClient client(server.port());
  int answered = 0;
  const int rounds = Rounds(3000);
  for (int i = 0; i < rounds; ++i) {
    client.Send(http::PostText("/api/generate", Mutate(body, random)));
    const http::TestResponse response = client.Read();
    ASSERT_TRUE(response.complete);
    answered += response.status == 200 ? 1 : 0;
  }
  EXPECT_GT(answered, 0);
  EXPECT_LT(answered, rounds);
}

TEST(Fuzz, BrokenPictureRequests) {
  TestServer server;
  std::mt19937 random(Seed(3));
  const std::string ollama = R"({"prompt":"a","width":128,"height":128,"steps":3,"stream":true,)"
                             R"("images":[")" +
                             PngBase64(4, 4) +
                             R"("],"options":{"cfg_interval":[0,1],"seed":1,"cfg_renorm":"global",)"
                             R"("cfg_text_scale":2,"negative_prompt":"b"}})";
  const std::string openai = R"({"prompt":"a","n":2,"size":"128x128","stream":true,"steps":3,)"
                             R"("partial_images":2,"output_format":"jpeg","images":[)"
                             R"({"image_url":"data:image/png;base64,)" +
                             PngBase64(4, 4) + R"("}]})";
  const std::string form =
      "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na\r\n--b\r\n"
      "Content-Disposition: form-data; name=\"image[]\"; filename=\"upload\"\r\n"
      "Content-Type: application/octet-stream\r\n\r\n" +
      PngBytes(4, 4) +
      "\r\n--b\r\nContent-Disposition: form-data; name=\"steps\"\r\n\r\n3\r\n--b--\r\n";
  http::TestClient client(server.port());
  int answered = 0;
  const int rounds = Rounds(1500);
  for (int i = 0; i < rounds; ++i) {
    if (i % 3 == 0) {
      client.Send(http::PostText("/api/generate", Mutate(ollama, random)));
    } else if (i % 3 == 1) {
      client.Send(http::PostText("/v1/images/edits", Mutate(openai, random)));
    } else {
      client.Send(http::PostText("/v1/images/edits", Mutate(form, random),
                                 "Content-Type: multipart/form-data; boundary=b\r\n"));
    }
    const http::TestResponse response = client.Read();
    ASSERT_TRUE(response.complete);
    answered += response.status == 200 ? 1 : 0;
  }
  EXPECT_GT(answered, 0);
  EXPECT_LT(answered, rounds);
  EXPECT_TRUE(http::Eventually([&] { return server.engine.ended() == server.engine.submitted(); }));
}

}  // namespace
}  // namespace bagel::api
