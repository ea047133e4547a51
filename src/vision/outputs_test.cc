#include "vision/outputs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "http/test_client.h"
#include "vision/stand_ins.h"

namespace bagel::vision {
namespace {

using namespace std::chrono_literals;
using http::Eventually;

WatchEvent Described(const std::string& id) {
  WatchEvent event;
  event.kind = WatchEvent::Kind::kDescription;
  event.id = id;
  event.camera = "door";
  event.text = "A person with a parcel \xe2\x80\x94 \x1b[31m\nred.";
  event.motion.zones = {"path"};
  event.motion.box = {0.25F, 0.5F, 0.125F, 0.25F};
  event.motion.area = 0.03;
  return event;
}

std::string ReadFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(JsonLines, OneObjectALine) {
  const std::string path = testing::TempDir() + "sophia_events.jsonl";
  std::remove(path.c_str());
  {
    OutputQueue queue(MakeJsonLines(path), {});
    for (int i = 0; i < 3; ++i) {
      queue.Add(Described(std::to_string(i)));
    }
  }
  std::istringstream lines(ReadFile(path));
  std::string line;
  int count = 0;
  while (std::getline(lines, line)) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["schema"], "sophia.event/1");
    EXPECT_EQ(json["event"], "description");
    EXPECT_EQ(json["id"], std::to_string(count++));
    EXPECT_EQ(json["zones"], nlohmann::json({"path"}));
    EXPECT_EQ(json["box"]["width"], 0.125);
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
  }
  EXPECT_EQ(count, 3);
  EXPECT_THROW(MakeJsonLines("/nowhere/at/all"), Error);
}

TEST(JsonLines, AReaderThatDoesNotReadHoldsUpNoEnd) {
  const std::string path = testing::TempDir() + "sophia_events.fifo";
  std::remove(path.c_str());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const auto begin = std::chrono::steady_clock::now();
  {
    OutputQueue queue(MakeJsonLines(path), {});
    WatchEvent event = Described("1");
    event.text.assign(size_t{256} << 10, 'x');  // more than a pipe holds
    queue.Add(event);
    std::this_thread::sleep_for(300ms);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 4s);
  close(reader);
  std::remove(path.c_str());
}

// A hook that answers with each status in turn, then 200.
struct StandInHook {
  explicit StandInHook(std::vector<int> turns) : statuses(std::move(turns)), server(Routes()) {}
  http::Router Routes() {
    http::Router router;
    router.Add(
        "POST", "/hook", http::Work::kLight,
        [this](const http::HttpRequest& request, const std::shared_ptr<http::HttpReply>& reply) {
          const std::lock_guard lock(mutex);
          bodies.push_back(request.body);
          const int status = bodies.size() <= statuses.size() ? statuses[bodies.size() - 1] : 200;
          reply->Send(status, "text/plain", "");
        });
    return router;
  }
  size_t count() {
    const std::lock_guard lock(mutex);
    return bodies.size();
  }
  std::vector<int> statuses;
  std::mutex mutex;
  std::vector<std::string> bodies;
  StandInServer server;
};

OutputOptions Quick() {
  OutputOptions options;
  options.tries = 3;
  options.first_retry = options.last_retry = 10ms;
  return options;
}

TEST(Webhook, PostsAndTriesAgainWhereThatMayHelp) {
  StandInHook hook({503, 500});
  OutputQueue queue(MakeWebhook(hook.server.url() + "/hook"), Quick());
  queue.Add(Described("1"));
  ASSERT_TRUE(Eventually([&] { return hook.count() == 3; }));
  EXPECT_EQ(nlohmann::json::parse(hook.bodies[2])["id"], "1");
  queue.Add(Described("2"));
  ASSERT_TRUE(Eventually([&] { return hook.count() == 4; }));
  EXPECT_EQ(queue.dropped(), 0U);
}

TEST(Webhook, GivesUpAndGoesOn) {
  StandInHook hook({503, 503, 503, 400});
  OutputQueue queue(MakeWebhook(hook.server.url() + "/hook"), Quick());
  for (const char* id : {"1", "2", "3"}) {
    queue.Add(Described(id));
  }
  ASSERT_TRUE(Eventually([&] { return hook.count() == 5; }));
  EXPECT_EQ(nlohmann::json::parse(hook.bodies[4])["id"], "3");
  EXPECT_EQ(queue.dropped(), 2U);
  EXPECT_THROW(MakeWebhook("ftp://x"), Error);
}

TEST(OutputQueue, SaysOnceThatAPlaceFailsAndOnceThatItWorks) {
  struct Moody : EventOutput {
    void Write(const WatchEvent& event, const std::function<bool()>&) override {
      if (event.id == "bad") {
        throw Error(ErrorKind::kUnavailable, "the place is away");
      }
      ++written;
    }
    std::string Name() const override { return "moody"; }
    std::atomic<int> written{0};
  };
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  {
    auto place = std::make_unique<Moody>();
    Moody& moody = *place;
    OutputQueue queue(std::move(place), Quick());
    for (const char* id : {"bad", "bad", "good", "good", "bad", "bad", "good"}) {
      queue.Add(Described(id));
    }
    EXPECT_TRUE(Eventually([&] { return moody.written == 3; }));
    EXPECT_EQ(queue.dropped(), 4U);
  }
  spdlog::set_default_logger(before);
  const std::string text = log.str();
  const auto count = [&text](const std::string& words) {
    int found = 0;
    for (size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) {
      ++found;
    }
    return found;
  };
  EXPECT_EQ(count("the place is away"), 2) << text;
  EXPECT_EQ(count("moody works again; 2 events are lost so far"), 1) << text;
  EXPECT_EQ(count("moody works again; 4 events are lost so far"), 1) << text;
}

TEST(OutputQueue, ASlowPlaceHoldsUpNobodyAndItsEndIsQuick) {
  struct Stuck : EventOutput {
    void Write(const WatchEvent&, const std::function<bool()>& stop) override {
      while (!stop()) {
        std::this_thread::sleep_for(1ms);
      }
      throw Error(ErrorKind::kCancelled, "stopped");
    }
    std::string Name() const override { return "stuck"; }
  };
  const auto begin = std::chrono::steady_clock::now();
  {
    OutputOptions options;
    options.size = 10;
    OutputQueue queue(std::make_unique<Stuck>(), options);
    for (int i = 0; i < 1000; ++i) {
      queue.Add(Described("x"));
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
    EXPECT_GE(queue.dropped(), 989U);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

}  // namespace
}  // namespace bagel::vision
