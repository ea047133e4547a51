// What happens to clients that are slow, gone, too large or too many, and when the server stops.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "api/test_server.h"

namespace bagel::api {
namespace {

using std::chrono::milliseconds;

FakeScript Endless() {
  return {.pieces = {{"word ", false}}, .repeat = 1'000'000, .pause = milliseconds(2)};
}

http::ServerOptions ShortDeadlines() {
  http::ServerOptions options;
  options.limits.idle_deadline = milliseconds(300);
  options.limits.header_deadline = milliseconds(300);
  options.limits.read_deadline = milliseconds(300);
  options.limits.write_deadline = milliseconds(300);
  options.limits.drain_deadline = milliseconds(300);
  return options;
}

TEST(Cancel, AClientThatGoesAwayEndsItsJob) {
  TestServer server;
  server.engine.Play(Endless());
  for (const char* stream : {"true", "false"}) {
    const int before = server.engine.cancelled();
    {
      http::TestClient client(server.port());
      client.Send(http::PostText("/api/generate",
                                 R"({"prompt":"a","stream":)" + std::string(stream) + "}"));
      ASSERT_TRUE(http::Eventually([&] { return server.engine.submitted() == before + 1; }));
    }
    EXPECT_TRUE(http::Eventually([&] { return server.engine.cancelled() == before + 1; }))
        << stream;
  }
  EXPECT_TRUE(http::Eventually([&] { return server.service.http().connections() == 0; }));
}

TEST(Cancel, APipelinedRequestDoesNotHideThatTheClientHasGone) {
  TestServer server;
  server.engine.Play(Endless());
  {
    http::TestClient client(server.port());
    client.Send(http::PostText("/api/generate", R"({"prompt":"a","stream":false})") +
                http::GetText("/"));
    ASSERT_TRUE(http::Eventually([&] { return server.engine.submitted() == 1; }));
  }
  EXPECT_TRUE(http::Eventually([&] { return server.engine.cancelled() == 1; }));
}

TEST(Cancel, APipelinedRequestDoesNotCancel) {
  TestServer server;
  server.engine.Play({.pieces = {{"x", false}}, .repeat = 3, .pause = milliseconds(150)});
  http::TestClient client(server.port());
  client.Send(http::PostText("/api/generate", R"({"prompt":"a","stream":false})") +
              http::GetText("/"));
  EXPECT_NE(client.Read().body.find("\"xxx\""), std::string::npos);
  EXPECT_EQ(client.Read().body, "Ollama is running");
  EXPECT_EQ(server.engine.cancelled(), 0);
}

TEST(Cancel, OneClientsGoingDoesNotTouchAnother) {
  TestServer server;
  server.engine.Play({.pieces = {{"x", false}}, .repeat = 20, .pause = milliseconds(20)});
  http::TestClient stays(server.port());
  stays.Send(http::PostText("/api/generate", R"({"prompt":"a","stream":false})"));
  {
    http::TestClient leaves(server.port());
    leaves.Send(http::PostText("/api/generate", R"({"prompt":"a"})"));
    ASSERT_TRUE(http::Eventually([&] { return server.engine.submitted() == 2; }));
  }
  EXPECT_EQ(stays.Read().status, 200);
  EXPECT_EQ(server.engine.cancelled(), 1);
}

TEST(Slow, AClientThatDoesNotReadIsDropped) {
  http::ServerOptions options;
  options.limits.unsent_bytes = 64 << 10;
  TestServer server(options);
  server.engine.Play({.pieces = {{std::string(16 << 10, 'x'), false}}, .repeat = 10'000});
  http::TestClient client(server.port(), 4096);
  client.Send(http::PostText("/api/generate", R"({"prompt":"a"})"));
  EXPECT_TRUE(http::Eventually([&] { return server.engine.cancelled() == 1; }));
  EXPECT_TRUE(http::Eventually([&] { return server.service.http().connections() == 0; }));
}

TEST(Slow, AWriteHasADeadline) {
  http::ServerOptions options = ShortDeadlines();
  options.limits.unsent_bytes = 100 << 20;
  TestServer server(options);
  server.engine.Play({.pieces = {{std::string(256 << 10, 'x'), false}}, .repeat = 60});
  http::TestClient client(server.port(), 4096);
  client.Send(http::PostText("/api/generate", R"({"prompt":"a","stream":false})"));
  EXPECT_TRUE(http::Eventually([&] { return server.engine.ended() == 1; }));
  EXPECT_TRUE(http::Eventually([&] { return server.service.http().connections() == 0; }));
}

TEST(Slow, HeadersAndBodiesHaveDeadlines) {
  TestServer server(ShortDeadlines());
  const std::string request = http::PostText("/api/generate", R"({"prompt":"a"})");
  for (const std::string& start :
       {std::string(), std::string("P"), request.substr(0, request.size() - 1),
        std::string("POST /api/generate HTTP/1.1\r\nHost: localhost\r\nX: y\r\n"),
        std::string("POST /api/generate HTTP/1.1\r\nHost: localhost\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n5\r\nab")}) {
    http::TestClient client(server.port());
    client.Send(start);
    EXPECT_TRUE(client.ClosedWithin(milliseconds(3000))) << start;
  }
  EXPECT_EQ(server.engine.submitted(), 0);
}

TEST(Slow, DrippingHeadersDoNotExtendTheDeadline) {
  TestServer server(ShortDeadlines());
  http::TestClient client(server.port());
  client.Send("GET / HTTP/1.1\r\n");
  bool closed = false;
  for (int i = 0; i < 40 && !closed; ++i) {
    client.Send("X: y\r\n");
    closed = client.ClosedWithin(milliseconds(50));
  }
  EXPECT_TRUE(closed);
}

TEST(Large, HeadersAndBodiesAreBounded) {
  http::ServerOptions options;
  options.limits.body_bytes = 1000;
  TestServer server(options);
  const http::TestResponse body = server.Post(std::string(1001, ' '));
  EXPECT_EQ(body.status, 413);
  EXPECT_EQ(body.body, R"({"error":"request body is larger than 1000 bytes"})");
  EXPECT_EQ(server.Post(std::string(1'000'000, ' ')).status, 413);
  EXPECT_EQ(server.Post(std::string(1000, ' ')).status, 400);
  EXPECT_EQ(
      http::Fetch(server.port(), http::GetText("/", "X: " + std::string(20'000, 'y') + "\r\n"))
          .status,
      431);
  http::TestClient client(server.port());
  client.Send(
      "POST /api/generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.Send("3e9\r\n" + std::string(1001, ' ') + "\r\n0\r\n\r\n");
  EXPECT_EQ(client.Read().status, 413);
}

TEST(Large, BodiesOfAllClientsTogetherAreBounded) {
  http::ServerOptions options;
  options.limits.total_bytes = 150'000;
  TestServer server(options);
  const std::string request = http::PostText("/api/generate", std::string(100'000, ' '));
  http::TestClient first(server.port());
  first.Send(request.substr(0, request.size() - 1));
  ASSERT_TRUE(http::Eventually([&] { return server.service.http().buffered_bytes() == 99'999; }));
  EXPECT_EQ(http::Fetch(server.port(), request).status, 503);
  first.Send(" ");
  EXPECT_EQ(first.Read().status, 400);
  EXPECT_TRUE(http::Eventually([&] { return http::Fetch(server.port(), request).status == 400; }));
}

TEST(Large, PicturesAreBounded) {
  OllamaOptions options;
  options.picture_limits.max_pixels = 100;
  options.picture_bytes = 400;
  TestServer server({}, options);
  const auto post = [&](int side, int count) {
    std::string images;
    for (int i = 0; i < count; ++i) {
      images.append(i == 0 ? "\"" : ",\"").append(PngBase64(side, side)).append("\"");
    }
    return server.Post(R"({"images":[)" + images + "]}").status;
  };
  EXPECT_EQ(post(10, 1), 200);
  EXPECT_EQ(post(11, 1), 400);
  EXPECT_EQ(post(10, 2), 503);
  EXPECT_EQ(post(8, 2), 200);
  EXPECT_EQ(post(1, 17), 413);
}

TEST(Many, IdleAndSlowConnectionsMakeRoomAndBusyOnesStay) {
  http::ServerOptions options;
  options.limits.connections = 4;
  TestServer server(options);
  std::vector<std::unique_ptr<http::TestClient>> idle;
  idle.reserve(10);
  for (int i = 0; i < 10; ++i) {
    idle.push_back(std::make_unique<http::TestClient>(server.port()));
    idle.back()->Send(http::PostText("/api/generate", "{}").substr(0, static_cast<size_t>(i) * 8));
  }
  EXPECT_EQ(http::Fetch(server.port(), http::GetText("/")).status, 200);
  idle.clear();
  ASSERT_TRUE(http::Eventually([&] { return server.service.http().connections() == 0; }));

  server.engine.Play({.pieces = {{"x", false}}, .pause = milliseconds(500)});
  std::vector<std::unique_ptr<http::TestClient>> busy;
  busy.reserve(4);
  for (int i = 0; i < 4; ++i) {
    busy.push_back(std::make_unique<http::TestClient>(server.port()));
    busy.back()->Send(http::PostText("/api/generate", R"({"prompt":"a"})"));
  }
  ASSERT_TRUE(http::Eventually([&] { return server.engine.submitted() == 4; }));
  http::TestClient refused(server.port());
  EXPECT_EQ(refused.Read().status, 503);
  for (const auto& client : busy) {
    EXPECT_EQ(client->Read().status, 200);
  }
}

TEST(Stop, LetsRunningRequestsFinish) {
  TestServer server;
  server.engine.Play({.pieces = {{"x", false}}, .repeat = 3, .pause = milliseconds(100)});
  http::TestClient idle(server.port());
  http::TestClient client(server.port());
  client.Send(http::PostText("/api/generate", R"({"prompt":"a","stream":false})"));
  ASSERT_TRUE(http::Eventually([&] { return server.engine.submitted() == 1; }));
  server.service.http().Stop();
  EXPECT_TRUE(idle.ClosedWithin(milliseconds(1000)));
  EXPECT_NE(client.Read().body.find("\"xxx\""), std::string::npos);
  server.service.http().Wait();
}

TEST(Stop, CancelsAfterTheDeadline) {
  TestServer server(ShortDeadlines());
  server.engine.Play(Endless());
  http::TestClient client(server.port());
  client.Send(http::PostText("/api/generate", R"({"prompt":"a","stream":false})"));
  ASSERT_TRUE(http::Eventually([&] { return server.engine.submitted() == 1; }));
  server.service.http().Stop();
  server.service.http().Wait();
  EXPECT_TRUE(http::Eventually([&] { return server.engine.cancelled() == 1; }));
}

TEST(Stop, AtOnceWhenTheServerIsDestroyed) {
  FakeEngine engine;
  engine.Play(Endless());
  const auto begin = std::chrono::steady_clock::now();
  {
    Service service(engine, {}, OnAnyPort());
    http::TestClient client(service.http().port());
    client.Send(http::PostText("/api/generate", R"({"prompt":"a"})"));
    ASSERT_TRUE(http::Eventually([&] { return engine.submitted() == 1; }));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(3000));
}

TEST(Listen, SaysWhyItCannot) {
  TestServer server;
  http::ServerOptions options;
  options.port = server.port();
  FakeEngine engine;
  try {
    const Service second(engine, {}, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnavailable);
    EXPECT_NE(std::string(error.what()).find(std::to_string(server.port())), std::string::npos);
  }
  options.host = "no such host";
  EXPECT_THROW(Service(engine, {}, options), Error);
}

}  // namespace
}  // namespace bagel::api
