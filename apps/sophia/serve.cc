// sophia serve: the eyes over HTTP.
#include <spdlog/spdlog.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/service_manager.h"
#include "commands.h"
#include "http_options.h"
#include "key_file.h"
#include "language_options.h"
#include "log.h"
#include "look_options.h"
#include "vision/faces.h"
#include "vision/objects.h"
#include "vision/service.h"

namespace bagel {
namespace {

struct ServeCommand {
  EyeOptions eyes;
  vision::ServiceOptions service;
  LanguageOptions language;
  SecretSource api_key{"SOPHIA_API_KEY"};
  bool privacy = false;
  bool verbose = false;
};

void Serve(ServeCommand command) {
  SetUpLog(command.verbose);
  vision::ServiceOptions& options = command.service;
  options.http.guard.api_key = ReadKey(command.api_key);
  options.look.mood = !command.eyes.no_emotion;
  options.save = command.eyes.save;
  if (ServiceWatchdogInterval().count() > 0)
    options.on_alive = [] { TellServiceManager("WATCHDOG=1"); };
  const std::string host = options.http.host;
  const bool open = options.http.guard.api_key.empty();

  vision::Servers servers = MakeServers(command.eyes.server);
  const auto faces = vision::MakeFaceFinder(command.eyes.faces);
  const auto objects = vision::MakeObjectFinder(command.eyes.objects);
  const vision::Triggers triggers = vision::Triggers::Load(command.language.triggers);
  const std::optional<vision::LanguageModel> language = MakeLanguageModel(command.language);
  const auto camera = vision::Camera::Open(command.eyes.camera);
  if (command.privacy) {
    camera->SetPrivacy(true);
  }
  vision::Looker looker(*faces, objects.get(), servers);
  vision::Service service(
      {*camera, looker, servers, triggers, objects.get(), language ? &*language : nullptr},
      std::move(options));
  service.http().StopOnSignals();
  if (open && !IsLoopback(host)) {
    spdlog::warn("whoever reaches {} can see through the camera: there is no key", host);
  }
  spdlog::info("listening on {}", HttpUrl(host, service.http().port()));
  TellServiceManager("READY=1\nSTATUS=Serving port " + std::to_string(service.http().port()));
  service.http().Wait();
  TellServiceManager("STOPPING=1");
  spdlog::info("stopped");
}

void AddServiceOptions(CLI::App& command, ServeCommand& options) {
  http::ServerOptions& http = options.service.http;
  http.port = 8096;
  http.limits.body_bytes = size_t{32} << 20;
  AddHttpOptions(command, http);
  AddSecretFileOption(command, "--api-key-file", "the key that clients must send as a bearer token",
                      options.api_key);
  command.add_option("--queue", options.service.max_waiting, "Looks that may wait")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  command.add_option("--listeners", options.service.max_listeners, "Clients of /events at once")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
}

}  // namespace

void AddServe(CLI::App& app) {
  auto options = std::make_shared<ServeCommand>();
  CLI::App& command = *app.add_subcommand("serve", "Looks when it is asked to over HTTP");
  AddServiceOptions(command, *options);
  AddLanguageOptions(command, options->language);
  command.add_flag("--privacy", options->privacy, "Begin with the camera switched off");
  command.add_flag("--verbose", options->verbose, "Log more");
  AddEyeOptions(command, options->eyes);
  command.footer(
      "Example: sophia serve --camera demo\n"
      "         curl -s -X POST http://127.0.0.1:8096/look");
  command.callback([options] { Serve(std::move(*options)); });
}

}  // namespace bagel
