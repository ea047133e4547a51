// sophia describe: what a security camera sees.
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "commands.h"
#include "interrupt.h"
#include "look_options.h"
#include "vision/json_line.h"
#include "vision/looker.h"
#include "vision/stopwatch.h"
#include "vision/words.h"

namespace bagel {
namespace {

constexpr const char* kSceneSchema = "sophia.scene/1";

struct DescribeCommand {
  std::string source;
  ServerOptions server;
  bool json = false;
};

void Describe(const DescribeCommand& command) {
  vision::Servers servers = MakeServers(command.server);
  const auto camera = vision::Camera::Open(command.source);
  CatchInterrupts();
  const auto begin = std::chrono::steady_clock::now();
  const vision::Camera::View view = WaitForView(*camera);
  const double frame_ms = vision::MillisecondsSince(begin);
  if (view.state != vision::State::kOk)
    throw Error(ErrorKind::kUnavailable, camera->name() + " shows nothing to describe (" +
                                             vision::StateName(view.state) + "): " + view.detail);
  const vision::ModelAnswer answer = vision::DescribeScene(
      servers, view.frame.bgr,
      [&](std::string_view words) {
        if (!command.json) PrintWords(words);
      },
      Interrupted);
  if (command.json) {
    const nlohmann::ordered_json json = {
        {"schema", kSceneSchema},
        {"captured_at", vision::IsoTime(view.frame.captured_at)},
        {"camera", camera->name()},
        {"scene", vision::Trimmed(answer.text)},
        {"model", answer.model},
        {"timings_ms", {{"frame", frame_ms}, {"scene", answer.total_ms}}}};
    Print(vision::JsonLine(json) + "\n");
    return;
  }
  Print("\n");
  PrintTimings({{"frame", frame_ms}, {"scene", answer.total_ms}}, answer.model);
}

}  // namespace

void AddDescribe(CLI::App& app) {
  auto describe = std::make_shared<DescribeCommand>();
  CLI::App& command = *app.add_subcommand("describe", "Says what a security camera sees");
  command
      .add_option("source", describe->source,
                  "A picture, a video, an rtsp:// or http:// stream, or a device")
      ->type_name("DEVICE|URL|FILE")
      ->required();
  AddServerOptions(command, describe->server);
  command.add_flag("--json", describe->json, "One JSON object, described by scene.schema.json");
  command.footer("Example: sophia describe demo/pictures/security-01.jpg");
  command.callback([describe] { Describe(*describe); });
}

}  // namespace bagel
