// sophia watch: security cameras, described when something happens.
#include "vision/watch.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "commands.h"
#include "interrupt.h"
#include "key_file.h"
#include "log.h"
#include "look_options.h"
#include "vision/mqtt.h"
#include "vision/prompts.h"
#include "vision/watch_config.h"
#include "vision/watch_metrics.h"

namespace bagel {
namespace {

constexpr unsigned kSecondsToEnd = 15;

struct WatchCommand {
  std::vector<std::string> cameras;
  std::string config;
  ServerOptions server;
  vision::WatchedCamera defaults;
  vision::WatchOptions watch;
  double quiet_s = 5;
  double min_interval_s = 10;
  int give_up_s = 120;
  int keep_days = 7;
  std::vector<std::string> json_lines;
  vision::MqttOptions mqtt;
  SecretSource mqtt_password{"SOPHIA_MQTT_PASSWORD"};
  std::vector<std::string> webhooks;
  std::string metrics_host = "127.0.0.1";
  std::optional<uint16_t> metrics_port;
  bool verbose = false;
};

std::chrono::milliseconds FromSeconds(double seconds) {
  return std::chrono::milliseconds(std::llround(seconds * 1000));
}

// The cameras of the file and of the command line.
std::vector<vision::WatchedCamera> Cameras(const WatchCommand& command) {
  std::vector<vision::WatchedCamera> cameras;
  if (!command.config.empty()) {
    cameras = vision::ReadWatchConfig(command.config, command.defaults);
  }
  for (const std::string& camera : command.cameras) {
    cameras.push_back(vision::ParseCameraOption(camera, command.defaults, cameras.size() + 1));
  }
  vision::CheckCameras(cameras);
  return cameras;
}

// Whether only the reader of standard output is told.
bool OnlyWrites(const WatchCommand& command) {
  return command.json_lines == std::vector<std::string>{"-"} && command.mqtt.url.empty() &&
         command.webhooks.empty();
}

// Whether standard output is a pipe whose reader is gone.
bool ReaderIsGone() {
  pollfd output{STDOUT_FILENO, 0, 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

void AddOutputs(const WatchCommand& command, vision::Watch& watch) {
  for (const std::string& file : command.json_lines) {
    watch.AddOutput(vision::MakeJsonLines(file), {});
  }
  for (const std::string& webhook : command.webhooks) {
    watch.AddOutput(vision::MakeWebhook(webhook), {});
  }
  if (!command.mqtt.url.empty()) {
    vision::MqttOptions mqtt = command.mqtt;
    mqtt.password = ReadSecret(command.mqtt_password);
    for (const vision::WatchedCamera& camera : command.watch.cameras) {
      mqtt.cameras.push_back(camera.name);
    }
    mqtt.on_switch = [&watch](const std::string& camera, bool on) { watch.Switch(camera, on); };
    vision::OutputOptions options;
    options.tries = 0;
    options.last_retry = std::chrono::seconds(2);
    watch.AddOutput(vision::MakeMqtt(mqtt), options);
  }
}

void RunWatch(WatchCommand command) {
  SetUpLog(command.verbose);
  command.defaults.events.quiet = FromSeconds(command.quiet_s);
  command.defaults.events.min_interval = FromSeconds(command.min_interval_s);
  command.watch.describe.give_up = std::chrono::seconds(command.give_up_s);
  command.watch.snapshots.max_age = std::chrono::hours(24 * command.keep_days);
  command.watch.cameras = Cameras(command);
  if (command.json_lines.empty() && command.mqtt.url.empty() && command.webhooks.empty()) {
    command.json_lines = {"-"};
  }
  vision::Servers servers = MakeServers(command.server);
  vision::WatchMetrics metrics;
  vision::Watch watch(command.watch, [&servers](const vision::WatchedCamera& camera,
                                                const cv::Mat& bgr,
                                                const std::function<bool()>& stop) {
    const vision::Question question{camera.prompt.empty() ? vision::kScenePrompt : camera.prompt,
                                    vision::EncodeJpeg(bgr), vision::kSceneTemperature,
                                    vision::kSceneTokens};
    return servers.Ask(question, nullptr, stop);
  });
  AddOutputs(command, watch);
  std::unique_ptr<http::HttpServer> http;
  if (command.metrics_port) {
    watch.AddOutput(metrics.Output(), {});
    http =
        vision::ServeMetrics(command.metrics_host, *command.metrics_port, metrics, watch, servers);
    spdlog::info("metrics on port {}", http->port());
  }
  CatchInterrupts();
  watch.Start();
  spdlog::info("watching {} cameras", command.watch.cameras.size());
  while (!Interrupted() && !(OnlyWrites(command) && ReaderIsGone())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  // What hangs even then, such as a log that nobody reads, ends with the process.
  ::alarm(kSecondsToEnd);
  spdlog::info("stopping");
}

void AddEventOptions(CLI::App& command, WatchCommand& options) {
  command
      .add_option("--min-area", options.defaults.motion.min_area,
                  "Part of the picture that must move in one piece")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--quiet", options.quiet_s, "Seconds without motion that end an event")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  command
      .add_option("--min-interval", options.min_interval_s,
                  "Seconds from the begin of one event of a camera to the next")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  command
      .add_option("--max-per-hour", options.defaults.events.max_per_hour,
                  "Events of each camera in an hour")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command
      .add_option("--queue", options.watch.describe.size,
                  "Events that may wait for the server; beyond that the oldest is dropped")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command
      .add_option("--give-up", options.give_up_s,
                  "Seconds after which an event is not described any more")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
}

void AddOutputOptions(CLI::App& command, WatchCommand& options) {
  command
      .add_option("--jsonl", options.json_lines,
                  "File to append events to, one JSON object a line; - = standard output, which is "
                  "also where they go without any output option")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command
      .add_option("--mqtt", options.mqtt.url, "Broker, as mqtt://[user@]host[:port] or mqtts://")
      ->type_name("URL");
  AddSecretFileOption(command, "--mqtt-password-file", "the broker's password",
                      options.mqtt_password);
  command.add_option("--mqtt-prefix", options.mqtt.prefix, "Of all topics")
      ->type_name("TOPIC")
      ->capture_default_str();
  command
      .add_option("--mqtt-discovery", options.mqtt.discovery,
                  "Home Assistant's discovery prefix; \"\" = none")
      ->type_name("TOPIC")
      ->capture_default_str();
  command.add_option("--webhook", options.webhooks, "URL that each event is POSTed to as JSON")
      ->type_name("URL")
      ->allow_extra_args(false);
  command
      .add_option("--snapshots", options.watch.snapshots.folder,
                  "Folder for the best frame of each event")
      ->type_name("DIR");
  command
      .add_option("--keep", options.watch.snapshots.max_files, "Snapshots that are kept at most")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command.add_option("--keep-days", options.keep_days, "Days that they are kept at most")
      ->check(CLI::Range(1, 36500))
      ->capture_default_str();
}

void AddMetricsOptions(CLI::App& command, WatchCommand& options) {
  command.add_option("--metrics-port", options.metrics_port,
                     "Answer GET /metrics (Prometheus) on this port; 0 = any free one");
  command.add_option("--metrics-host", options.metrics_host, "The address for that")
      ->capture_default_str();
}

}  // namespace

void AddWatch(CLI::App& app) {
  auto options = std::make_shared<WatchCommand>();
  CLI::App& command =
      *app.add_subcommand("watch", "Watches cameras and describes what happens there");
  command
      .add_option("--camera", options->cameras,
                  "A device, rtsp:// or http:// stream or video; may be repeated")
      ->type_name("[NAME=]SOURCE")
      ->allow_extra_args(false);
  command
      .add_option("--config", options->config,
                  "JSON file of cameras with zones and limits of their own")
      ->type_name("FILE");
  AddServerOptions(command, options->server);
  AddEventOptions(command, *options);
  AddOutputOptions(command, *options);
  AddMetricsOptions(command, *options);
  command.add_flag("--verbose", options->verbose, "Log more");
  command.footer(
      "Example: sophia watch --camera door=rtsp://192.168.1.20/stream1 --mqtt mqtt://broker.lan");
  command.callback([options] { RunWatch(std::move(*options)); });
}

}  // namespace bagel
