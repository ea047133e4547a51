// bagel serve: the engine behind Ollama's HTTP API.
#include "api/serve.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "base/service_manager.h"
#include "commands.h"
#include "http_options.h"
#include "model/bagel.h"
#include "model_option.h"

namespace bagel {
namespace {

// The published model, 29 GB, from a disk of 20 MB/s, quantised on the way.
constexpr std::chrono::minutes kLoadTimeout{30};

struct ServeCommandOptions {
  ModelOptions engine;
  http::ServerOptions http;
  bool verbose = false;
};

void SetUpLog(bool verbose) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("bagel"));
  spdlog::set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  spdlog::set_level(verbose ? spdlog::level::debug : spdlog::level::info);
}

void Serve(ServeCommandOptions options) {
  SetUpLog(options.verbose);
  TellServiceManager("STATUS=Loading the model\nEXTEND_TIMEOUT_USEC=" +
                     std::to_string(std::chrono::microseconds(kLoadTimeout).count()));
  options.engine.heartbeat = [] { TellServiceManager("WATCHDOG=1"); };
  options.engine.heartbeat_interval = ServiceWatchdogInterval() / 2;
  options.http.on_stop = [] { TellServiceManager("STOPPING=1\nSTATUS=Finishing what runs"); };
  const std::string host = options.http.host;
  const std::unique_ptr<Engine> engine = LoadEngine(options.engine);
  const ModelInfo& info = engine->info();
  api::Service service(*engine, {}, std::move(options.http));
  service.http().StopOnSignals();
  if (!IsLoopback(host)) {
    spdlog::warn("whoever reaches {} can use the model: there is no password", host);
  }
  spdlog::info("{} on {}, loaded in {:.0f} ms", info.name, info.device, info.load_ms);
  spdlog::info("listening on {}", HttpUrl(host, service.http().port()));
  TellServiceManager("READY=1\nSTATUS=Serving " + info.name + " on " + info.device + ", port " +
                     std::to_string(service.http().port()));
  service.http().Wait();
  spdlog::info("stopped");
}

}  // namespace

void AddServe(CLI::App& app) {
  auto options = std::make_shared<ServeCommandOptions>();
  CLI::App& command = *app.add_subcommand("serve", "Answers Ollama's HTTP API");
  AddEngineOptions(command, options->engine);
  http::ServerOptions& http = options->http;
  AddHttpOptions(command, http);
  command.add_option("--sessions", options->engine.max_sessions, "Requests decoded together")
      ->check(CLI::Range(int64_t{1}, Bagel::kRowsBesidePicture))
      ->capture_default_str();
  command.add_option("--queue", options->engine.max_queue, "Requests that may wait")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  command.add_option("--connections", http.limits.connections, "Open connections at once")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  command.add_flag("--verbose", options->verbose, "Log more");
  command.footer(
      "Example: bagel serve --port 8095\n"
      "         curl -s http://127.0.0.1:8095/api/generate -d '{\"prompt\": \"Hello\"}'");
  command.callback([options] { Serve(std::move(*options)); });
}

}  // namespace bagel
