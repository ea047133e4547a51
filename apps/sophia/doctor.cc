// sophia doctor: tries every part that a look needs, and says what to do about what is missing.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "commands.h"
#include "look_options.h"
#include "vision/camera.h"
#include "vision/faces.h"
#include "vision/looker.h"
#include "vision/objects.h"
#include "vision/servers.h"
#include "vision/stopwatch.h"
#include "vision/words.h"

namespace bagel {
namespace {

using Clock = std::chrono::steady_clock;
using vision::Servers;
using vision::State;

// What is slower than this is said, in milliseconds.
constexpr double kSlowFaces = 100;
constexpr double kSlowServer = 500;
constexpr double kSlowModel = 5'000;
constexpr int kTokens = 8;  // asked for to see how fast a model is

class Findings {
 public:
  void Good(const std::string& part, const std::string& text) { Line("ok", part, text); }
  void Note(const std::string& part, const std::string& text) { Line("note", part, text); }
  void Bad(const std::string& part, const std::string& text, const std::string& advice) {
    ++bad_;
    Line("BAD", part, text);
    Line("", "", "-> " + advice);
  }
  int bad() const { return bad_; }

 private:
  static void Line(const char* mark, const std::string& part, const std::string& text) {
    std::printf("%-5s %-8s %s\n", mark, part.c_str(),
                vision::WithoutControlBytes(text, false).c_str());
    std::fflush(stdout);
  }

  int bad_ = 0;
};

std::string Milliseconds(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, ms < 10'000 ? "%.0f ms" : "%.0f s",
                ms < 10'000 ? ms : ms / 1000);
  return text;
}

std::string CommaList(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// What to do about a camera that gives no picture; what is wrong with it was said.
std::string CameraAdvice(const std::string& source) {
  if (source.find("://") != std::string::npos) {
    return "check address, user and password, and that the camera is on: ffplay URL shows it where "
           "it works";
  }
  std::vector<std::string> others;
  for (const vision::CameraInfo& camera : vision::ListCameras()) {
    if (camera.problem.empty()) others.push_back(camera.path);
  }
  if (!others.empty()) return "usable here: --camera " + CommaList(others);
  return "no usable camera at /dev/video*; --camera demo works without one";
}

// What to do about a camera whose picture tells nothing.
std::string PictureAdvice(State state) {
  switch (state) {
    case State::kDark:
      return "uncover the lens, make light";
    case State::kNoSignal:
      return "see to what feeds it: cable, power, the input that is chosen";
    case State::kBlurred:
      return "clean the lens, focus, wait until the scene stands still";
    case State::kStarting:
    case State::kStale:
      return "wait and try again; plug it in anew if that does not help";
    default:
      return "plug the camera in anew, or switch it off and on";
  }
}

// The frame that the other parts are tried on; a drawn picture if the camera has none.
cv::Mat CheckCamera(const std::string& source, Findings& findings) {
  const Clock::time_point begin = Clock::now();
  try {
    const auto camera = vision::Camera::Open(source);
    const vision::Camera::View view = WaitForView(*camera);
    if (view.state == State::kOk) {
      findings.Good("camera", camera->name() + ": " + camera->statistics().format +
                                  ", first settled frame after " +
                                  Milliseconds(vision::MillisecondsSince(begin)));
      return view.frame.bgr;
    }
    findings.Bad("camera", std::string(vision::StateName(view.state)) + ": " + view.detail,
                 view.frame.bgr.empty() && view.state != State::kStarting
                     ? CameraAdvice(source)
                     : PictureAdvice(view.state));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    findings.Bad("camera", error.what(), CameraAdvice(source));
  }
  return vision::Camera::Open("demo")->Newest(std::chrono::seconds(5)).frame.bgr;
}

void CheckFaces(const std::string& spec, const cv::Mat& frame, Findings& findings) {
  try {
    const auto finder = vision::MakeFaceFinder(spec);
    double best = 1e9;
    size_t count = 0;
    for (int round = 0; round < 3; ++round) {
      const Clock::time_point begin = Clock::now();
      count = finder->Find(frame).size();
      best = std::min(best, vision::MillisecondsSince(begin));
    }
    findings.Good("faces", spec + ": " + std::to_string(count) + " found in " + Milliseconds(best) +
                               " at " + std::to_string(frame.cols) + "x" +
                               std::to_string(frame.rows));
    if (best > kSlowFaces) {
      findings.Note("faces", "that is slow; a smaller picture or --faces yunet:FILE is faster");
    }
  } catch (const Error& error) {
    findings.Bad("faces", error.what(),
                 spec == "haar" ? "sudo apt install opencv-data"
                                : "name another file, or leave --faces away");
  }
}

void CheckObjects(const std::string& spec, const cv::Mat& frame, Findings& findings) {
  try {
    const auto finder = vision::MakeObjectFinder(spec);
    if (finder == nullptr) {
      findings.Note("objects", "none; --objects hailo, hailo:URL or onnx:FILE finds things");
      return;
    }
    const Clock::time_point begin = Clock::now();
    const size_t count = finder->Find(frame).size();
    findings.Good("objects", finder->Name() + ": " + std::to_string(count) + " found in " +
                                 Milliseconds(vision::MillisecondsSince(begin)));
  } catch (const Error& error) {
    findings.Bad("objects", error.what(), "a look works without: --objects none");
  }
}

std::string ServerAdvice(const Servers::Health& health) {
  if (health.status == 0) {
    return "start one there (bagel serve), or name another with --server URL";
  }
  if (health.status == 401 || health.status == 403) {
    return "give it the key that it wants: --server-key-file FILE or SOPHIA_SERVER_KEY";
  }
  if (health.status >= 500) return "wait until it is well, or name another with --server URL";
  return "something else listens there: check host and port, without a path behind them";
}

// What to do about a model that does not answer within `ms`.
std::string ModelAdvice(const Servers::Health& health, const vision::ServersOptions& options,
                        double ms) {
  if (health.models.empty()) return "give the server one that sees: ollama pull llava";
  const auto is_wanted = [&](const std::string& name) {
    return name == options.model || name == options.model + ":latest";
  };
  std::string others = "name one of its models that sees: --model " + CommaList(health.models);
  if (!options.model.empty() &&
      std::none_of(health.models.begin(), health.models.end(), is_wanted)) {
    return others;
  }
  if (ms >= static_cast<double>(std::min(options.first_word, options.idle).count())) {
    return "ask again, since a server may load its model first, or wait longer: --timeout SECONDS";
  }
  return "if it was busy, ask again; else " + others;
}

// Asks one server for a few words about the frame.
void CheckModel(const ServerOptions& options, const Servers::Health& health, const std::string& url,
                const std::string& jpeg, Findings& findings) {
  ServerOptions one = options;
  one.urls = {url};
  Servers server = MakeServers(one);
  const Clock::time_point begin = Clock::now();
  try {
    vision::Question question;
    question.prompt = "Describe this image.";
    question.jpeg = jpeg;
    question.temperature = 0;
    question.max_tokens = kTokens;
    const vision::ModelAnswer answer = server.Ask(question);
    findings.Good("model", answer.model + " sees: first word after " +
                               Milliseconds(answer.first_word_ms) + ", " + std::to_string(kTokens) +
                               " tokens after " + Milliseconds(answer.total_ms));
    if (answer.total_ms > kSlowModel) {
      findings.Note("model",
                    "that is slow, if it was not loading; a smaller model, bagel serve --quant nf4 "
                    "or a GPU is faster");
    }
  } catch (const Error& error) {
    findings.Bad("model", error.what(),
                 ModelAdvice(health, server.options(), vision::MillisecondsSince(begin)));
  }
}

void CheckServers(const ServerOptions& options, const cv::Mat& frame, Findings& findings) {
  const std::string jpeg = vision::EncodeJpeg(frame);
  const std::vector<Servers::Health> all = MakeServers(options).CheckHealth();
  for (size_t i = 0; i < all.size(); ++i) {
    const Servers::Health& health = all[i];
    if (!health.up) {
      const bool named = health.problem.find(health.url) != std::string::npos;
      findings.Bad("server", (named ? "" : health.url + ": ") + health.problem,
                   ServerAdvice(health));
      continue;
    }
    findings.Good("server", health.url + ": answers in " + Milliseconds(health.ms) + " with " +
                                (health.models.empty() ? "no model" : CommaList(health.models)));
    if (health.ms > kSlowServer) {
      findings.Note("server", "that is slow; it is busy, or the network between is");
    }
    CheckModel(options, health, options.urls[i], jpeg, findings);
  }
}

void Examine(const EyeOptions& options) {
  Findings findings;
  const cv::Mat frame = CheckCamera(options.camera, findings);
  CheckFaces(options.faces, frame, findings);
  CheckObjects(options.objects, frame, findings);
  CheckServers(options.server, frame, findings);
  if (findings.bad() > 0) {
    throw Error(ErrorKind::kUnavailable, std::to_string(findings.bad()) +
                                             (findings.bad() == 1 ? " part is" : " parts are") +
                                             " not ready");
  }
}

}  // namespace

void AddDoctor(CLI::App& app) {
  auto options = std::make_shared<EyeOptions>();
  CLI::App& command = *app.add_subcommand(
      "doctor", "Tries camera, faces, objects, server and model, and says what to do");
  AddEyeOptions(command, *options);
  command.callback([options] { Examine(*options); });
}

}  // namespace bagel
