// Against servers that are slow, broken or hostile.
#include "vision/servers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "http/http_server.h"
#include "http/router.h"
#include "vision/http_client.h"

namespace bagel::vision {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

constexpr const char* kTags = R"({"models":[{"name":"seeing:latest"}]})";

// Answers /api/generate in the way that `behaviour` names.
class ToldServer {
 public:
  explicit ToldServer(std::string behaviour) : behaviour_(std::move(behaviour)) {
    http::Router router;
    router.Add("GET", "/api/tags", http::Work::kLight,
               [this](http::HttpRequest, const std::shared_ptr<http::HttpReply>& reply) {
                 if (behaviour_ == "never tags") {
                   kept_ = reply;
                 } else {
                   reply->Send(200, "application/json", kTags);
                 }
               });
    router.Add("POST", "/api/generate", http::Work::kLight,
               [this](const http::HttpRequest& request,
                      const std::shared_ptr<http::HttpReply>& reply) { Answer(request, reply); });
    http::ServerOptions options;
    options.port = 0;
    options.limits.drain_deadline = 100ms;
    server_ = std::make_unique<http::HttpServer>(options, std::move(router));
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  int asked() const { return asked_; }
  const std::string& body() const { return body_; }
  void SetBehaviour(std::string behaviour) { behaviour_ = std::move(behaviour); }

 private:
  void Answer(const http::HttpRequest& request, const std::shared_ptr<http::HttpReply>& reply) {
    ++asked_;
    body_ = request.body;
    if (behaviour_ == "busy")
      return reply->Send(503, "application/json", R"({"error":"server busy"})");
    if (behaviour_ == "refuses")
      return reply->Send(400, "application/json", R"({"error":"invalid image: no"})");
    if (behaviour_ == "never") {
      kept_ = reply;
      return;
    }
    reply->Begin(200, "application/x-ndjson");
    if (behaviour_ == "nonsense") {
      reply->Write("<html>hello</html>\n");
      reply->End();
    } else if (behaviour_ == "half") {
      reply->Write(R"({"response":"Hel)");
      reply->End();
    } else if (behaviour_ == "stalls") {
      reply->Write("{\"response\":\"Hello\",\"done\":false}\n");
      kept_ = reply;
    } else if (behaviour_ == "error line") {
      reply->Write("{\"error\":\"out of memory\"}\n");
      reply->End();
    } else if (behaviour_ == "endless") {
      const std::string line = R"({"response":")" + std::string(8000, 'x') + "\"}\n";
      for (int i = 0; i < 20; ++i) reply->Write(line);
      kept_ = reply;
    } else {
      reply->Write("{\"response\":\"Hel\",\"done\":false}\n{\"response\":");
      reply->Write("\"lo \\u00e4\",\"done\":false}\r\n\n{\"response\":\"\",\"done\":true}");
      reply->End();
    }
  }

  std::string behaviour_;
  std::atomic<int> asked_ = 0;
  std::string body_;
  std::shared_ptr<http::HttpReply> kept_;
  std::unique_ptr<http::HttpServer> server_;
};

ServersOptions Impatient() {
  ServersOptions options;
  options.connect = 500ms;
  options.first_word = 300ms;
  options.idle = 300ms;
  options.total = 1500ms;
  return options;
}

std::string ErrorOf(Servers& servers, const Question& question = {"Hello", "", 0.3, 5}) {
  try {
    static_cast<void>(servers.Ask(question));
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ServersTest, StreamsWordsAndSendsThePicture) {
  ToldServer stand_in("good");
  Servers servers({stand_in.url() + "/"}, Impatient());
  std::string words;
  const ModelAnswer answer =
      servers.Ask({"What?", "jpeg", 0.2, 60}, [&](std::string_view piece) { words += piece; });
  EXPECT_EQ(answer.text, "Hello \u00e4");
  EXPECT_EQ(words, answer.text);
  EXPECT_EQ(answer.model, "seeing:latest");
  EXPECT_GT(answer.total_ms, 0);
  const nlohmann::json body = nlohmann::json::parse(stand_in.body());
  EXPECT_EQ(body["images"][0], "anBlZw==");
  EXPECT_EQ(body["options"]["num_predict"], 60);
  EXPECT_EQ(body["prompt"], "What?");
}

TEST(ServersTest, EveryFailureIsNamedInTimeAndTheNextAskWorks) {
  const std::pair<const char*, const char*> cases[] = {
      {"busy", "status 503: server busy"},  {"refuses", "status 400: invalid image: no"},
      {"never", "has not begun to answer"}, {"nonsense", "what is not JSON"},
      {"half", "what is not JSON"},         {"stalls", "stopped in the middle"},
      {"error line", "out of memory"},      {"endless", "does not stop to answer"},
  };
  for (const auto& [behaviour, text] : cases) {
    ToldServer stand_in(behaviour);
    Servers servers({stand_in.url()}, Impatient());
    const Clock::time_point begin = Clock::now();
    EXPECT_THAT(ErrorOf(servers), HasSubstr(text)) << behaviour;
    EXPECT_LT(Clock::now() - begin, 2500ms) << behaviour;
    stand_in.SetBehaviour("good");
    EXPECT_EQ(servers.Ask({"Hello", "", 0.3, 5}).text, "Hello \u00e4") << behaviour;
  }
}

TEST(ServersTest, NobodyListens) {
  Servers servers({"http://127.0.0.1:1"}, Impatient());
  EXPECT_THAT(ErrorOf(servers), HasSubstr("http://127.0.0.1:1/api/tags does not answer"));
  const std::vector<Servers::Health> healths = servers.CheckHealth();
  EXPECT_FALSE(healths[0].up);
}

TEST(ServersTest, TheHealthOfManyIsAskedAtOnce) {
  ToldServer silent("never tags"), silent_too("never tags"), good("good");
  Servers servers({silent.url(), silent_too.url(), good.url()}, Impatient());
  const Clock::time_point begin = Clock::now();
  const std::vector<Servers::Health> healths = servers.CheckHealth();
  EXPECT_LT(Clock::now() - begin, 5s);  // three for each
  ASSERT_EQ(healths.size(), 3U);
  EXPECT_FALSE(healths[0].up);
  EXPECT_FALSE(healths[1].up);
  EXPECT_TRUE(healths[2].up);
  EXPECT_EQ(healths[2].url, good.url());
}

TEST(ServersTest, TheNextServerTakesOver) {
  ToldServer bad("busy"), good("good");
  Servers servers({bad.url(), good.url()}, Impatient());
  EXPECT_EQ(servers.Ask({"Hello", "", 0.3, 5}).text, "Hello \u00e4");
  EXPECT_EQ(bad.asked(), 1);
  // A server that has just failed rests.
  EXPECT_EQ(servers.Ask({"Hello", "", 0.3, 5}).text, "Hello \u00e4");
  EXPECT_EQ(bad.asked(), 1);
  EXPECT_EQ(good.asked(), 2);
}

TEST(ServersTest, NoOtherServerAfterTheFirstWordNorForAMistake) {
  ToldServer stalls("stalls"), refuses("refuses"), good("good");
  Servers broken({stalls.url(), good.url()}, Impatient());
  EXPECT_THAT(ErrorOf(broken), HasSubstr("stopped in the middle"));
  Servers wrong({refuses.url(), good.url()}, Impatient());
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("invalid image"));
  EXPECT_EQ(good.asked(), 0);
}

TEST(ServersTest, TheLeastBusyIsAsked) {
  ToldServer first("stalls"), second("good");
  ServersOptions options = Impatient();
  options.idle = options.total = 1000ms;
  Servers servers({first.url(), second.url()}, options);
  std::thread busy([&] { static_cast<void>(ErrorOf(servers)); });
  while (first.asked() == 0) std::this_thread::sleep_for(5ms);
  EXPECT_EQ(servers.Ask({"Hello", "", 0.3, 5}).text, "Hello \u00e4");
  busy.join();
  EXPECT_EQ(first.asked(), 1);
  EXPECT_EQ(second.asked(), 1);
}

TEST(ServersTest, CanBeStopped) {
  ToldServer stand_in("stalls");
  Servers servers({stand_in.url()}, {});
  std::atomic<bool> stop = false;
  std::thread other([&] {
    std::this_thread::sleep_for(100ms);
    stop = true;
  });
  const Clock::time_point begin = Clock::now();
  try {
    static_cast<void>(servers.Ask({"Hello", "", 0.3, 5}, nullptr, [&] { return stop.load(); }));
    FAIL() << "was not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
  EXPECT_LT(Clock::now() - begin, 1s);
  other.join();
}

TEST(ServersTest, UrlsAreChecked) {
  for (const char* url : {"", "127.0.0.1:8095", "ftp://x", "http://", "http://a b", "file:///etc"})
    EXPECT_THROW(Servers({url}, {}), Error) << url;
  EXPECT_THROW(Servers({}, {}), Error);
  EXPECT_EQ(ShownUrl("http://me:secret@host:1/a?key=1"), "http://***@host:1/a");
}

}  // namespace
}  // namespace bagel::vision
