// Against a real broker on the loopback interface.
#include "vision/mqtt.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mosquitto.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "http/http_server.h"
#include "http/test_client.h"

namespace bagel::vision {
namespace {

using http::Eventually;
using testing::HasSubstr;
using Kind = WatchEvent::Kind;

uint16_t FreePort() {
  http::ServerOptions options;
  options.port = 0;
  return http::HttpServer(options, {}).port();
}

// mosquitto on a port of its own, which can go away and come back.
class Broker {
 public:
  Broker() : port_(FreePort()), config_(testing::TempDir() + "sophia_mosquitto.conf") {
    // A broker that is started as root changes to another user, who must be able to read this.
    std::ofstream(config_) << "listener " << port_ << " 127.0.0.1\nallow_anonymous true\n";
    Start();
  }
  ~Broker() { Stop(); }
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  void Start() {
    std::string program =
        std::filesystem::exists("/usr/sbin/mosquitto") ? "/usr/sbin/mosquitto" : "mosquitto";
    std::string flag = "-c";
    std::array<char*, 4> arguments = {program.data(), flag.data(), config_.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    ASSERT_EQ(
        ::posix_spawnp(&process_, program.c_str(), &actions, nullptr, arguments.data(), environ),
        0);
    posix_spawn_file_actions_destroy(&actions);
  }
  void Stop() {
    if (process_ > 0) {
      ::kill(process_, SIGTERM);
      ::waitpid(process_, nullptr, 0);
      process_ = 0;
    }
  }
  uint16_t port() const { return port_; }
  std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }

 private:
  const uint16_t port_;
  std::string config_;
  pid_t process_ = 0;
};

// A client that hears everything.
class Listener {
 public:
  explicit Listener(uint16_t port) : client_(mosquitto_new("listener", true, this)) {
    mosquitto_connect_callback_set(client_, [](mosquitto* client, void*, int) {
      mosquitto_subscribe(client, nullptr, "#", 1);
    });
    mosquitto_message_callback_set(
        client_, [](mosquitto*, void* self, const mosquitto_message* message) {
          auto& listener = *static_cast<Listener*>(self);
          const std::lock_guard lock(listener.mutex_);
          listener.last_[message->topic] = std::string(static_cast<const char*>(message->payload),
                                                       static_cast<size_t>(message->payloadlen));
        });
    mosquitto_threaded_set(client_, true);
    thread_ = std::thread([this, port] {
      while (!stopping_) {
        int result = mosquitto_connect_async(client_, "127.0.0.1", port, 30);
        while (result == MOSQ_ERR_SUCCESS && !stopping_) {
          result = mosquitto_loop(client_, 20, 1);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
  }
  ~Listener() {
    stopping_ = true;
    thread_.join();
    mosquitto_destroy(client_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::string Last(const std::string& topic) {
    const std::lock_guard lock(mutex_);
    return last_[topic];
  }
  void Forget() {
    const std::lock_guard lock(mutex_);
    last_.clear();
  }
  bool Hears(const std::string& topic, const std::string& payload) {
    return Eventually([&] { return Last(topic) == payload; });
  }
  void Say(const std::string& topic, const std::string& payload) {
    mosquitto_publish(client_, nullptr, topic.c_str(), static_cast<int>(payload.size()),
                      payload.data(), 1, false);
  }

 private:
  mosquitto* const client_;
  std::mutex mutex_;
  std::map<std::string, std::string> last_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

WatchEvent Event(Kind kind) {
  WatchEvent event;
  event.kind = kind;
  event.id = "door-1";
  event.camera = "door";
  return event;
}

OutputOptions ForEver() {
  OutputOptions options;
  options.tries = 0;
  options.first_retry = options.last_retry = std::chrono::milliseconds(20);
  return options;
}

TEST(Mqtt, TellsHomeAssistantAndComesBack) {
  mosquitto_lib_init();
  Broker broker;
  MqttOptions options;
  options.url = broker.url();
  options.cameras = {"door"};
  std::mutex mutex;
  std::vector<std::string> switched;
  options.on_switch = [&](const std::string& camera, bool on) {
    const std::lock_guard lock(mutex);
    switched.push_back(camera + (on ? " on" : " off"));
  };
  Listener listener(broker.port());
  auto queue = std::make_unique<OutputQueue>(MakeMqtt(options), ForEver());
  ASSERT_TRUE(listener.Hears("sophia/available", "online"));
  EXPECT_TRUE(listener.Hears("sophia/door/motion", "OFF"));

  const auto config = [&](const std::string& component, const std::string& object) {
    const std::string topic = "homeassistant/" + component + "/sophia_door/" + object + "/config";
    EXPECT_TRUE(Eventually([&] { return !listener.Last(topic).empty(); })) << topic;
    return nlohmann::json::parse(listener.Last(topic));
  };
  const auto motion = config("binary_sensor", "motion");
  EXPECT_EQ(motion["state_topic"], "sophia/door/motion");
  EXPECT_EQ(motion["device_class"], "motion");
  EXPECT_EQ(motion["availability_topic"], "sophia/available");
  EXPECT_EQ(config("image", "snapshot")["image_topic"], "sophia/door/snapshot");
  EXPECT_EQ(config("switch", "enabled")["command_topic"], "sophia/door/enabled/set");
  EXPECT_EQ(config("sensor", "description")["device"]["name"], "door");

  queue->Add(Event(Kind::kMotion));
  EXPECT_TRUE(listener.Hears("sophia/door/motion", "ON"));
  WatchEvent snapshot = Event(Kind::kSnapshot);
  snapshot.jpeg = std::make_shared<const std::string>(300'000, '\xff');
  queue->Add(snapshot);
  EXPECT_TRUE(listener.Hears("sophia/door/snapshot", *snapshot.jpeg));
  WatchEvent described = Event(Kind::kDescription);
  described.text = std::string(249, 'a') + "\xc3\xa4" + std::string(100, 'b');
  queue->Add(described);
  ASSERT_TRUE(Eventually([&] { return !listener.Last("sophia/door/description").empty(); }));
  const auto description = nlohmann::json::parse(listener.Last("sophia/door/description"));
  EXPECT_EQ(description["text"], described.text);
  EXPECT_EQ(description["short"], std::string(249, 'a'));
  EXPECT_THAT(listener.Last("sophia/events"), HasSubstr("sophia.event/1"));

  listener.Say("sophia/door/enabled/set", "OFF");
  EXPECT_TRUE(listener.Hears("sophia/door/enabled", "OFF"));
  for (const char* nonsense : {"off", "", "a very long command that nobody understands"}) {
    listener.Say("sophia/door/enabled/set", nonsense);
  }
  listener.Say("sophia/window/enabled/set", "OFF");
  listener.Say("sophia/door/enabled/set", "ON");
  EXPECT_TRUE(listener.Hears("sophia/door/enabled", "ON"));
  {
    const std::lock_guard lock(mutex);
    EXPECT_THAT(switched, testing::ElementsAre("door off", "door on"));
  }

  // The broker forgets everything; what happens meanwhile is told afterwards.
  broker.Stop();
  listener.Forget();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  queue->Add(Event(Kind::kEnd));
  broker.Start();
  EXPECT_TRUE(listener.Hears("sophia/available", "online"));
  EXPECT_TRUE(listener.Hears("sophia/door/motion", "OFF"));
  EXPECT_TRUE(listener.Hears("sophia/door/snapshot", *snapshot.jpeg));

  listener.Forget();
  listener.Say("homeassistant/status", "online");
  EXPECT_TRUE(listener.Hears("sophia/available", "online"));
  queue.reset();
  EXPECT_TRUE(listener.Hears("sophia/available", "offline"));
}

TEST(Mqtt, NoBrokerIsNoErrorAndTheEndIsQuick) {
  MqttOptions options;
  options.url = "mqtt://127.0.0.1:" + std::to_string(FreePort());
  const auto begin = std::chrono::steady_clock::now();
  {
    OutputOptions few = ForEver();
    few.size = 3;
    OutputQueue queue(MakeMqtt(options), few);
    for (int i = 0; i < 10; ++i) {
      queue.Add(Event(Kind::kMotion));
    }
    EXPECT_GE(queue.dropped(), 6U);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
}

TEST(Mqtt, ReadsUrls) {
  EXPECT_EQ(ParseMqttUrl("mqtt://host").port, 1883);
  EXPECT_EQ(ParseMqttUrl("mqtts://host/").port, 8883);
  const MqttAddress address = ParseMqttUrl("mqtt://me:se@cret@host.lan:99");
  EXPECT_EQ(address.user, "me");
  EXPECT_EQ(address.password, "se@cret");
  EXPECT_EQ(address.host, "host.lan");
  EXPECT_EQ(address.port, 99);
  for (const char* wrong : {"", "host", "http://host", "mqtt://", "mqtt://host:0",
                            "mqtt://host:99999", "mqtt://host:12x", "mqtt://a/b"}) {
    EXPECT_THROW(ParseMqttUrl(wrong), Error) << wrong;
  }
}

}  // namespace
}  // namespace bagel::vision
