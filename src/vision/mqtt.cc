#include "vision/mqtt.h"

#include <mosquitto.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/error.h"
#include "vision/json_line.h"

namespace bagel::vision {
namespace {

using nlohmann::ordered_json;

constexpr int kKeepAliveSeconds = 30;
constexpr int kQos = 1;
constexpr int kLoopSliceMs = 200;
constexpr std::chrono::milliseconds kFirstRetry{1'000};
constexpr std::chrono::milliseconds kLastRetry{30'000};
constexpr std::chrono::milliseconds kGoodbye{1'000};
constexpr size_t kLongestCommand = 16;
constexpr size_t kLongestPrefix = 100;
constexpr size_t kLongestState = 250;  // Home Assistant takes 255 characters

std::string HostName() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "host";
}

// At most `length` bytes, cut between two characters.
std::string CutText(const std::string& text, size_t length) {
  if (text.size() <= length) {
    return text;
  }
  size_t end = length;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
    --end;
  }
  return text.substr(0, end);
}

class Mqtt : public EventOutput {
 public:
  explicit Mqtt(const MqttOptions& options);
  ~Mqtt() override;
  Mqtt(const Mqtt&) = delete;
  Mqtt& operator=(const Mqtt&) = delete;

  void Write(const WatchEvent& event, const std::function<bool()>& stop) override;
  std::string Name() const override { return "MQTT broker " + address_.host; }

 private:
  void SetUp();
  void Loop();
  void OnConnect(int code);
  void OnDisconnect(int code);
  void SayProblem(const std::string& problem);
  void OnMessage(const mosquitto_message& message);
  void Publish(const std::string& topic, const std::string& payload, bool keep);
  void Keep(const std::string& topic, const std::string& payload);
  void Announce();  // everything that lasts, with mutex_ held; never throws
  void AnnounceCamera(const std::string& camera);
  std::string Topic(const std::string& name) const { return options_.prefix + "/" + name; }

  const MqttOptions options_;
  const MqttAddress address_;
  mosquitto* client_ = nullptr;
  std::atomic<bool> connected_{false};
  std::string problem_;  // as it was said; of the thread below alone
  std::mutex mutex_;
  std::map<std::string, std::string> kept_;  // topic to payload, said again to a new broker
  std::mutex wait_mutex_;
  std::condition_variable stop_changed_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

Mqtt::Mqtt(const MqttOptions& options) : options_(options), address_(ParseMqttUrl(options.url)) {
  for (const std::string& prefix : {options_.prefix, options_.discovery}) {
    if (prefix.find_first_of("+#") != std::string::npos || prefix.size() > kLongestPrefix) {
      throw Error(ErrorKind::kInvalidArgument,
                  "an MQTT prefix has at most 100 characters, none of them + or #");
    }
  }
  for (const std::string& camera : options_.cameras) {
    kept_[Topic(camera + "/motion")] = "OFF";
    kept_[Topic(camera + "/enabled")] = "ON";
  }
  static const int initialised = mosquitto_lib_init();
  const std::string id = options_.client_id.empty()
                             ? "sophia-" + HostName() + "-" + std::to_string(::getpid())
                             : options_.client_id;
  client_ = initialised == MOSQ_ERR_SUCCESS ? mosquitto_new(id.c_str(), true, this) : nullptr;
  if (client_ == nullptr) {
    throw Error(ErrorKind::kOutOfMemory, "no memory for an MQTT client");
  }
  try {
    SetUp();
  } catch (...) {
    mosquitto_destroy(client_);
    throw;
  }
  thread_ = std::thread([this] { Loop(); });
}

void Mqtt::SetUp() {
  const auto check = [this](int result) {
    if (result != MOSQ_ERR_SUCCESS) {
      throw Error(ErrorKind::kInvalidArgument, Name() + ": " + mosquitto_strerror(result));
    }
  };
  const std::string& password = options_.password.empty() ? address_.password : options_.password;
  if (!address_.user.empty()) {
    check(mosquitto_username_pw_set(client_, address_.user.c_str(), password.c_str()));
  }
  if (address_.tls) {
    check(mosquitto_tls_set(client_, nullptr, "/etc/ssl/certs", nullptr, nullptr, nullptr));
  }
  const std::string offline = "offline";
  check(mosquitto_will_set(client_, Topic("available").c_str(), static_cast<int>(offline.size()),
                           offline.data(), kQos, true));
  // The loop's thread is ours: the library's own ends when the very first attempt fails.
  check(mosquitto_threaded_set(client_, true));
  mosquitto_connect_callback_set(
      client_, [](mosquitto*, void* self, int code) { static_cast<Mqtt*>(self)->OnConnect(code); });
  mosquitto_disconnect_callback_set(client_, [](mosquitto*, void* self, int code) {
    static_cast<Mqtt*>(self)->OnDisconnect(code);
  });
  mosquitto_message_callback_set(client_,
                                 [](mosquitto*, void* self, const mosquitto_message* message) {
                                   static_cast<Mqtt*>(self)->OnMessage(*message);
                                 });
}

// Connects, talks until that fails, waits, and begins again.
void Mqtt::Loop() {
  std::chrono::milliseconds delay = kFirstRetry;
  while (!stopping_) {
    int result =
        mosquitto_connect_async(client_, address_.host.c_str(), address_.port, kKeepAliveSeconds);
    while (result == MOSQ_ERR_SUCCESS && !stopping_) {
      result = mosquitto_loop(client_, kLoopSliceMs, 1);
      delay = connected_ ? kFirstRetry : delay;
    }
    if (stopping_) {
      break;
    }
    OnDisconnect(result);
    std::unique_lock lock(wait_mutex_);
    stop_changed_.wait_for(lock, delay, [this] { return stopping_.load(); });
    delay = std::min(2 * delay, kLastRetry);
  }
  // The last words are sent if that goes quickly.
  mosquitto_disconnect(client_);
  const auto end = std::chrono::steady_clock::now() + kGoodbye;
  while (std::chrono::steady_clock::now() < end &&
         mosquitto_loop(client_, kLoopSliceMs, 1) == MOSQ_ERR_SUCCESS) {
  }
}

Mqtt::~Mqtt() {
  if (connected_) {
    try {
      Publish(Topic("available"), "offline", true);
    } catch (const Error& error) {
      spdlog::warn("{}", error.what());
    }
  }
  {
    const std::lock_guard lock(wait_mutex_);
    stopping_ = true;
  }
  stop_changed_.notify_all();
  thread_.join();
  mosquitto_destroy(client_);
}

void Mqtt::OnConnect(int code) {
  if (code != 0) {
    SayProblem(std::string("refuses: ") + mosquitto_connack_string(code));
    return;
  }
  spdlog::info("{}: connected", Name());
  connected_ = true;
  problem_.clear();
  mosquitto_subscribe(client_, nullptr, Topic("+/enabled/set").c_str(), kQos);
  if (!options_.discovery.empty()) {
    mosquitto_subscribe(client_, nullptr, (options_.discovery + "/status").c_str(), kQos);
  }
  const std::lock_guard lock(mutex_);
  Announce();
}

void Mqtt::OnDisconnect(int code) {
  connected_ = false;
  if (code != 0 && problem_.empty()) {
    SayProblem("gives no connection");
  }
}

// Once for each problem until there is a connection.
void Mqtt::SayProblem(const std::string& problem) {
  if (problem != problem_) {
    spdlog::warn("{} {}; it is tried again", Name(), problem);
  }
  problem_ = problem;
}

// Everything from the broker is a request by a stranger: what is not understood is ignored.
void Mqtt::OnMessage(const mosquitto_message& message) {
  if (message.payload == nullptr || message.payloadlen <= 0 ||
      static_cast<size_t>(message.payloadlen) > kLongestCommand) {
    return;
  }
  const std::string topic = message.topic;
  const std::string payload(static_cast<const char*>(message.payload),
                            static_cast<size_t>(message.payloadlen));
  if (topic == options_.discovery + "/status") {
    if (payload == "online") {
      const std::lock_guard lock(mutex_);
      Announce();
    }
    return;
  }
  for (const std::string& camera : options_.cameras) {
    if (topic == Topic(camera + "/enabled/set") && (payload == "ON" || payload == "OFF")) {
      if (options_.on_switch) {
        options_.on_switch(camera, payload == "ON");
      }
      const std::lock_guard lock(mutex_);
      kept_[Topic(camera + "/enabled")] = payload;
      Announce();
    }
  }
}

void Mqtt::Publish(const std::string& topic, const std::string& payload, bool keep) {
  const int result =
      mosquitto_publish(client_, nullptr, topic.c_str(), static_cast<int>(payload.size()),
                        payload.data(), kQos, keep);
  if (result != MOSQ_ERR_SUCCESS) {
    throw Error(ErrorKind::kUnavailable, Name() + ": " + mosquitto_strerror(result));
  }
}

void Mqtt::Keep(const std::string& topic, const std::string& payload) {
  kept_[topic] = payload;
  if (connected_) {
    Publish(topic, payload, true);
  }
}

void Mqtt::Announce() {
  try {
    if (!options_.discovery.empty()) {
      for (const std::string& camera : options_.cameras) {
        AnnounceCamera(camera);
      }
    }
    for (const auto& [topic, payload] : kept_) {
      Publish(topic, payload, true);
    }
    Publish(Topic("available"), "online", true);
  } catch (const Error& error) {
    spdlog::warn("{}", error.what());  // the connection is lost again: the next one says it all
  }
}

// Home Assistant's MQTT discovery: one retained message for each entity.
void Mqtt::AnnounceCamera(const std::string& camera) {
  std::string node = options_.prefix + "_" + camera;
  std::replace(node.begin(), node.end(), '/', '_');
  const auto announce = [&](const char* component, const char* object, ordered_json config) {
    config["unique_id"] = node + "_" + object;
    config["object_id"] = node + "_" + object;
    config["availability_topic"] = Topic("available");
    config["device"] = {{"identifiers", {node}},
                        {"name", camera},
                        {"manufacturer", "bagel.cpp"},
                        {"model", "sophia watch"}};
    Publish(options_.discovery + "/" + component + "/" + node + "/" + object + "/config",
            JsonLine(config), true);
  };
  announce(
      "binary_sensor", "motion",
      {{"name", "Motion"}, {"state_topic", Topic(camera + "/motion")}, {"device_class", "motion"}});
  announce("sensor", "state", {{"name", "State"}, {"state_topic", Topic(camera + "/state")}});
  announce("sensor", "description",
           {{"name", "Description"},
            {"state_topic", Topic(camera + "/description")},
            {"value_template", "{{ value_json.short }}"},
            {"json_attributes_topic", Topic(camera + "/description")}});
  announce("image", "snapshot",
           {{"name", "Snapshot"},
            {"image_topic", Topic(camera + "/snapshot")},
            {"content_type", "image/jpeg"}});
  announce("switch", "enabled",
           {{"name", "Enabled"},
            {"state_topic", Topic(camera + "/enabled")},
            {"command_topic", Topic(camera + "/enabled/set")}});
}

void Mqtt::Write(const WatchEvent& event, const std::function<bool()>&) {
  if (!connected_) {
    throw Error(ErrorKind::kUnavailable, Name() + " is not connected");
  }
  const std::lock_guard lock(mutex_);
  Publish(Topic("events"), ToJson(event), false);
  switch (event.kind) {
    case WatchEvent::Kind::kMotion:
      Keep(Topic(event.camera + "/motion"), "ON");
      break;
    case WatchEvent::Kind::kEnd:
      Keep(Topic(event.camera + "/motion"), "OFF");
      break;
    case WatchEvent::Kind::kSnapshot:
      if (event.jpeg) {
        Keep(Topic(event.camera + "/snapshot"), *event.jpeg);
      }
      break;
    case WatchEvent::Kind::kDescription: {
      ordered_json json = ordered_json::parse(ToJson(event));
      json["short"] = CutText(event.text, kLongestState);
      Keep(Topic(event.camera + "/description"), JsonLine(json));
      break;
    }
    case WatchEvent::Kind::kCameraState:
      Keep(Topic(event.camera + "/state"), event.state);
      break;
    case WatchEvent::Kind::kFailed:
    case WatchEvent::Kind::kDropped:
      break;
  }
}

}  // namespace

MqttAddress ParseMqttUrl(const std::string& url) {
  MqttAddress address;
  std::string rest;
  if (url.starts_with("mqtt://")) {
    rest = url.substr(7);
  } else if (url.starts_with("mqtts://")) {
    rest = url.substr(8);
    address.tls = true;
    address.port = 8883;
  }
  if (const size_t at = rest.rfind('@'); at != std::string::npos) {
    address.user = rest.substr(0, at);
    rest.erase(0, at + 1);
    if (const size_t colon = address.user.find(':'); colon != std::string::npos) {
      address.password = address.user.substr(colon + 1);
      address.user.erase(colon);
    }
  }
  if (rest.ends_with('/')) {
    rest.pop_back();
  }
  const size_t colon = rest.rfind(':');
  address.host = rest.substr(0, colon);
  if (colon != std::string::npos) {
    const std::string port = rest.substr(colon + 1);
    const bool digits = !port.empty() && port.size() <= 5 &&
                        port.find_first_not_of("0123456789") == std::string::npos;
    address.port = digits ? std::stoi(port) : 0;
  }
  if (address.host.empty() || address.host.find_first_of("/ ") != std::string::npos ||
      address.port < 1 || address.port > 65535) {
    throw Error(ErrorKind::kInvalidArgument,
                "an MQTT broker is mqtt://[user@]host[:port] or mqtts://..., not what was given");
  }
  return address;
}

std::unique_ptr<EventOutput> MakeMqtt(const MqttOptions& options) {
  return std::make_unique<Mqtt>(options);
}

}  // namespace bagel::vision
