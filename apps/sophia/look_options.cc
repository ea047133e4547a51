#include "look_options.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>

#include "base/error.h"
#include "interrupt.h"
#include "progress.h"
#include "vision/faces.h"
#include "vision/objects.h"
#include "vision/stopwatch.h"
#include "vision/words.h"

namespace bagel {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

using vision::State;

void AddServerOptions(CLI::App& command, ServerOptions& options) {
  command
      .add_option("--server", options.urls,
                  "Vision server with Ollama's API; several share the work and stand in for each "
                  "other")
      ->type_name("URL")
      ->allow_extra_args(false)
      ->capture_default_str();
  command
      .add_option("--model", options.limits.model,
                  "Its model; without it the first that the server lists")
      ->type_name("NAME");
  AddSecretFileOption(command, "--server-key-file", "the key that the servers want", options.key);
  command
      .add_option("--timeout", options.timeout_seconds,
                  "Seconds for a whole answer, half of them for its first word")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
}

vision::Servers MakeServers(const ServerOptions& options) {
  vision::ServersOptions limits = options.limits;
  limits.api_key = ReadKey(options.key);
  limits.total = std::chrono::seconds(options.timeout_seconds);
  limits.first_word = limits.total / 2;
  limits.idle = std::min(limits.idle, limits.total);
  return vision::Servers(options.urls, std::move(limits));
}

void AddEyeOptions(CLI::App& command, EyeOptions& options) {
  command
      .add_option("--camera", options.camera,
                  "A device, rtsp:// or http:// stream, video, picture, folder, or demo")
      ->type_name("DEVICE|URL|FILE|DIR|demo")
      ->capture_default_str();
  command
      .add_option("--faces", options.faces, "The detector: a cascade of OpenCV's, or an ONNX file")
      ->type_name("haar|haar:FILE|yunet:FILE")
      ->capture_default_str();
  command
      .add_option("--objects", options.objects,
                  "The detector: HailoRT here or another sophia's, or an ONNX file")
      ->type_name("auto|none|hailo|hailo:HEF|hailo:URL|onnx:FILE")
      ->capture_default_str();
  command.add_flag("--no-emotion", options.no_emotion, "Do not ask for the mood");
  command
      .add_option("--save", options.save,
                  "Folder for the frame, the face, the marked frame and the report")
      ->type_name("DIR");
  AddServerOptions(command, options.server);
}

vision::Camera::View WaitForView(vision::Camera& camera) {
  // Short waits, so that Ctrl-C is heard.
  constexpr std::chrono::milliseconds kSlice{200};
  constexpr std::chrono::seconds kPatience{10};
  const Progress progress("waiting for " + camera.name());
  const Clock::time_point begin = Clock::now();
  while (true) {
    const Clock::time_point slice = Clock::now();
    vision::Camera::View view = camera.Newest(kSlice);
    const bool gave_up = Clock::now() - slice < kSlice;
    if (Interrupted()) throw Error(ErrorKind::kCancelled, "interrupted");
    if (view.state == State::kOk || gave_up || Clock::now() - begin > kPatience) return view;
  }
}

vision::Report LookOnce(const EyeOptions& options, const vision::LookEvents& events) {
  vision::Servers servers = MakeServers(options.server);
  const auto faces = vision::MakeFaceFinder(options.faces);
  const auto objects = vision::MakeObjectFinder(options.objects);
  const auto camera = vision::Camera::Open(options.camera);
  CatchInterrupts();
  const Clock::time_point begin = Clock::now();
  const vision::Camera::View view = WaitForView(*camera);
  const double frame_ms = vision::MillisecondsSince(begin);

  vision::Looker looker(*faces, objects.get(), servers);
  vision::LookOptions look;
  look.mood = !options.no_emotion;
  std::optional<Progress> progress(std::in_place,
                                   "asking " + vision::ShownUrl(options.server.urls[0]));
  vision::LookEvents quiet = events;
  quiet.person_words = [&](std::string_view words) {
    progress.reset();
    if (events.person_words) events.person_words(words);
  };
  vision::Report report = looker.Look(view, camera->name(), look, quiet, Interrupted);
  progress.reset();
  report.timings_ms["frame"] = frame_ms;
  if (!options.save.empty()) vision::SaveLook(options.save, view.frame.bgr, report);
  PrintTimings(report.timings_ms, report.model);
  return report;
}

vision::LookEvents TextPrinter::Events() {
  vision::LookEvents events;
  events.faces = [this](const vision::Report& report) {
    Print(vision::TextBeforePerson(report));
    begun_ = true;
  };
  events.person_words = [this](std::string_view words) {
    if (!words_) Print(vision::kPersonHeading);
    words_ = true;
    PrintWords(words);
  };
  return events;
}

void TextPrinter::Finish(const vision::Report& report) {
  if (!begun_) return Print(vision::ToText(report));
  if (words_) Print("\n");
  Print(vision::TextAfterPerson(report));
}

void RequireDescribed(const vision::Report& report) {
  if (report.state == State::kOk || report.state == State::kNoFace) return;
  throw Error(ErrorKind::kUnavailable, vision::WithoutControlBytes(report.detail, false));
}

void Print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw Error(ErrorKind::kUnavailable, "cannot write the report: its reader is gone");
}

void PrintWords(std::string_view words) { Print(vision::WithoutControlBytes(words)); }

void PrintTimings(const std::map<std::string, double>& timings_ms, const std::string& model) {
  std::string line;
  for (const auto& [part, ms] : timings_ms)
    line += (line.empty() ? "" : ", ") + part + " " + std::to_string(std::lround(ms)) + " ms";
  if (!model.empty()) line += " (" + vision::WithoutControlBytes(model, false) + ")";
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace bagel
