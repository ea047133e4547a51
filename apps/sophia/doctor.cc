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
#include "formats/picture.h"
#include "look_options.h"
#include "vision/camera.h"
#include "vision/faces.h"
#include "vision/objects.h"
#include "vision/servers.h"
#include "vision/words.h"

namespace bagel {
namespace {

using std::chrono::steady_clock;
using vision::State;

// What a look can spare for its faces; slower is said.
constexpr double kSlowFaces = 100;
constexpr int kJpegQuality = 85;
constexpr int kWords = 8;  // asked for to see how fast a server is

class Findings {
 public:
  void Good(const std::string& part, const std::string& text) { Line("ok", part, text); }
  void Note(const std::string& part, const std::string& text) { Line("note", part, text); }
  // `advice` may be empty.
  void Bad(const std::string& part, const std::string& text, const std::string& advice) {
    ++bad_;
    Line("BAD", part, text);
    if (!advice.empty()) Line("", "", "-> " + advice);
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

double Since(steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(steady_clock::now() - begin).count();
}

// The other cameras that could be used.
std::string CameraAdvice() {
  std::string others;
  for (const vision::CameraInfo& camera : vision::ListCameras()) {
    if (camera.problem.empty()) others += (others.empty() ? "" : ", ") + camera.path;
  }
  if (!others.empty()) return "usable here: --camera " + others;
  return "no usable camera at /dev/video*; --camera demo works without one";
}

// The frame that the other parts are tried on; a drawn picture if the camera has none.
cv::Mat CheckCamera(const std::string& source, Findings& findings) {
  const auto begin = steady_clock::now();
  try {
    const auto camera = vision::Camera::Open(source);
    const vision::Camera::View view = WaitForView(*camera);
    if (view.state == State::kOk) {
      findings.Good("camera", camera->name() + ": " + camera->statistics().format +
                                  ", first settled frame after " + Milliseconds(Since(begin)));
      return view.frame.bgr;
    }
    findings.Bad("camera", std::string(vision::StateName(view.state)) + ": " + view.detail,
                 view.frame.bgr.empty() ? CameraAdvice() : "");
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    findings.Bad("camera", error.what(), CameraAdvice());
  }
  return vision::Camera::Open("demo")->Newest(std::chrono::seconds(5)).frame.bgr;
}

void CheckFaces(const std::string& spec, const cv::Mat& frame, Findings& findings) {
  try {
    const auto finder = vision::MakeFaceFinder(spec);
    double best = 1e9;
    size_t count = 0;
    for (int round = 0; round < 3; ++round) {
      const auto begin = steady_clock::now();
      count = finder->Find(frame).size();
      best = std::min(best, Since(begin));
    }
    findings.Good("faces", spec + ": " + std::to_string(count) + " found in " + Milliseconds(best) +
                               " at " + std::to_string(frame.cols) + "x" +
                               std::to_string(frame.rows));
    if (best > kSlowFaces) {
      findings.Note("faces", "that is slow; a smaller picture or --faces yunet:FILE is faster");
    }
  } catch (const Error& error) {
    findings.Bad("faces", error.what(), "install Debian's opencv-data, or name a file: haar:FILE");
  }
}

void CheckObjects(const std::string& spec, const cv::Mat& frame, Findings& findings) {
  try {
    const auto finder = vision::MakeObjectFinder(spec);
    if (finder == nullptr) {
      findings.Note("objects", "none; --objects hailo, hailo:URL or onnx:FILE finds things");
      return;
    }
    const auto begin = steady_clock::now();
    const size_t count = finder->Find(frame).size();
    findings.Good("objects", finder->Name() + ": " + std::to_string(count) + " found in " +
                                 Milliseconds(Since(begin)));
  } catch (const Error& error) {
    findings.Bad("objects", error.what(), "a look works without: --objects none");
  }
}

// Asks one server for a few words about the frame.
void CheckModel(const ServerOptions& options, const std::string& url, const std::string& jpeg,
                Findings& findings) {
  ServerOptions one = options;
  one.urls = {url};
  try {
    vision::Servers server = MakeServers(one);
    vision::Question question;
    question.prompt = "Describe this image.";
    question.jpeg = jpeg;
    question.temperature = 0;
    question.max_tokens = kWords;
    const vision::ModelAnswer answer = server.Ask(question);
    findings.Good("model", answer.model + " sees: first word after " +
                               Milliseconds(answer.first_word_ms) + ", " + std::to_string(kWords) +
                               " tokens after " + Milliseconds(answer.total_ms));
  } catch (const Error& error) {
    findings.Bad("model", error.what(), "does the model see pictures? Choose one with --model");
  }
}

void CheckServers(const ServerOptions& options, const cv::Mat& frame, Findings& findings) {
  Picture picture;
  picture.width = frame.cols;
  picture.height = frame.rows;
  for (int y = 0; y < frame.rows; ++y) {
    for (int x = 0; x < frame.cols; ++x) {
      const cv::Vec3b& bgr = frame.at<cv::Vec3b>(y, x);
      picture.rgb.insert(picture.rgb.end(), {bgr[2], bgr[1], bgr[0]});
    }
  }
  const std::vector<std::byte> bytes = EncodeJpeg(picture, kJpegQuality);
  const std::string jpeg(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  vision::Servers servers = MakeServers(options);
  for (const vision::Servers::Health& health : servers.CheckHealth()) {
    if (!health.up) {
      const bool named = health.problem.find(health.url) != std::string::npos;
      findings.Bad("server", (named ? "" : health.url + ": ") + health.problem,
                   "start one there (bagel serve), or name another with --server URL");
      continue;
    }
    std::string models;
    for (const std::string& model : health.models) models += (models.empty() ? "" : ", ") + model;
    findings.Good("server", health.url + ": answers in " + Milliseconds(health.ms) + " with " +
                                (models.empty() ? "no model" : models));
    CheckModel(options, health.url, jpeg, findings);
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
