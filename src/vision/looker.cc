#include "vision/looker.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <future>
#include <mutex>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "base/error.h"
#include "vision/prompts.h"
#include "vision/stopwatch.h"

namespace bagel::vision {
namespace {

using Clock = std::chrono::steady_clock;

void WritePrivate(const std::filesystem::path& path, const std::string& bytes) {
  const int file =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  size_t written = 0;
  while (file >= 0 && written < bytes.size()) {
    const ssize_t count = ::write(file, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    written += static_cast<size_t>(count);
  }
  const int error = errno;
  if (file >= 0) ::close(file);
  if (file < 0 || written < bytes.size())
    throw Error(ErrorKind::kUnavailable,
                path.string() + " cannot be written: " + std::strerror(error));
}

// The time of the frame as the begin of a file's name.
std::string NameOf(const Report& report) {
  std::string name =
      report.captured_at ? IsoTime(*report.captured_at) : IsoTime(std::chrono::system_clock::now());
  for (char& c : name) {
    if (c == ':' || c == '.') c = '-';
  }
  return name;
}

}  // namespace

std::string EncodeJpeg(const cv::Mat& bgr, int quality) {
  std::vector<uchar> bytes;
  bool encoded = false;
  try {
    encoded = cv::imencode(".jpg", bgr, bytes, {cv::IMWRITE_JPEG_QUALITY, quality});
  } catch (const cv::Exception&) {
  }
  if (!encoded) throw Error(ErrorKind::kInternal, "the frame cannot be written as JPEG");
  return {bytes.begin(), bytes.end()};
}

Report Looker::Look(const Camera::View& view, const std::string& camera, const LookOptions& options,
                    const LookEvents& events, const std::function<bool()>& stop) {
  const Clock::time_point begin = Clock::now();
  Report report;
  report.camera = camera;
  report.state = view.state;
  report.detail = view.detail;
  if (!view.frame.bgr.empty()) {
    report.captured_at = view.frame.captured_at;
    report.age = std::max(
        std::chrono::milliseconds(0),
        std::chrono::duration_cast<std::chrono::milliseconds>(begin - view.frame.received));
    report.frame_size = view.frame.bgr.size();
  }
  if (view.state != State::kOk) return report;
  try {
    report.faces = faces_.Find(view.frame.bgr);
    report.timings_ms["faces"] = MillisecondsSince(begin);
    if (const std::optional<Face> main = MainFace(report.faces, report.frame_size)) {
      for (size_t i = 0; i < report.faces.size(); ++i) {
        if (report.faces[i].box == main->box) report.main_face = i;
      }
    }
    if (!report.main_face) report.state = State::kNoFace;
    if (events.faces) events.faces(report);
    Ask(view.frame.bgr, report, options, events, stop);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    report.state = State::kServerOffline;
    report.detail = error.what();
  }
  report.timings_ms["total"] = MillisecondsSince(begin);
  return report;
}

void Looker::Ask(const cv::Mat& frame, Report& report, const LookOptions& options,
                 const LookEvents& events, const std::function<bool()>& stop) {
  std::mutex events_mutex;
  // The others stop when one has failed.
  std::atomic<bool> failed{false};
  const auto stopped = [&] { return failed || (stop && stop()); };
  const auto guarded = [&](const auto& body) {
    return std::async(std::launch::async, [&failed, body] {
      const Clock::time_point begin = Clock::now();
      try {
        body();
      } catch (...) {
        failed = true;
        throw;
      }
      return MillisecondsSince(begin);
    });
  };
  ModelAnswer person, mood;
  std::string objects_problem;
  // Behind all that their threads write to, since an exception waits for them.
  std::future<double> person_done, mood_done, objects_done;
  if (options.person)
    person_done = guarded([&] {
      const Question question{kPersonPrompt, EncodeJpeg(frame, options.jpeg_quality),
                              kPersonTemperature, kPersonTokens};
      person = servers_.Ask(
          question,
          [&](std::string_view words) {
            std::lock_guard lock(events_mutex);
            if (events.person_words) events.person_words(words);
          },
          stopped);
    });
  if (options.mood && report.main_face)
    mood_done = guarded([&] {
      const cv::Rect crop = FaceCrop(report.faces[*report.main_face].box, frame.size());
      const Question question{kMoodPrompt, EncodeJpeg(frame(crop), options.jpeg_quality),
                              kMoodTemperature, kMoodTokens};
      mood = servers_.Ask(question, nullptr, stopped);
      report.mood = ParseMood(mood.text);
      std::lock_guard lock(events_mutex);
      if (events.mood) events.mood(report.mood);
    });
  // Objects are an extra: without them the rest of the report stands.
  if (objects_ != nullptr)
    objects_done = guarded([&] {
      try {
        report.objects = objects_->Find(frame);
        report.objects_asked = true;
      } catch (const Error& error) {
        objects_problem = error.what();
        return;
      }
      std::lock_guard lock(events_mutex);
      if (events.objects) events.objects(report.objects);
    });
  std::exception_ptr failure;
  const auto wait = [&](std::future<double>& done, const char* part) {
    if (!done.valid()) return;
    try {
      report.timings_ms[part] = done.get();
    } catch (const Error& error) {
      // The one that failed first says why; the others were cancelled because of it.
      const bool because_of_another = error.kind() == ErrorKind::kCancelled && !(stop && stop());
      if (!failure || !because_of_another) failure = std::current_exception();
    }
  };
  wait(mood_done, "mood");
  wait(person_done, "person");
  wait(objects_done, "objects");
  report.person = person.text;
  report.model = !person.model.empty() ? person.model : mood.model;
  if (report.detail.empty()) report.detail = objects_problem;
  if (failure) std::rethrow_exception(failure);
}

ModelAnswer DescribeScene(Servers& servers, const cv::Mat& bgr,
                          const std::function<void(std::string_view)>& on_words,
                          const std::function<bool()>& stop) {
  return servers.Ask({kScenePrompt, EncodeJpeg(bgr), kSceneTemperature, kSceneTokens}, on_words,
                     stop);
}

cv::Mat Annotated(const cv::Mat& bgr, const Report& report) {
  cv::Mat marked = bgr.clone();
  const int line = std::max(2, bgr.cols / 400);
  const double letters = std::max(0.4, bgr.cols / 1600.0);
  const auto mark = [&](const cv::Rect& box, const std::string& text, const cv::Scalar& colour) {
    cv::rectangle(marked, box, colour, line);
    const int above = box.y > 20 ? box.y - 2 * line : box.y + box.height + 20;
    cv::putText(marked, text, {box.x, above}, cv::FONT_HERSHEY_SIMPLEX, letters, {0, 0, 0},
                2 * line, cv::LINE_AA);
    cv::putText(marked, text, {box.x, above}, cv::FONT_HERSHEY_SIMPLEX, letters, colour,
                std::max(1, line / 2), cv::LINE_AA);
  };
  for (const Object& object : report.objects) mark(object.box, object.label, {255, 180, 60});
  for (size_t i = 0; i < report.faces.size(); ++i) {
    const bool main = report.main_face == i;
    mark(report.faces[i].box, main && !report.mood.label.empty() ? report.mood.label : "face",
         main ? cv::Scalar(80, 230, 80) : cv::Scalar(200, 200, 200));
    if (main) cv::rectangle(marked, FaceCrop(report.faces[i].box, bgr.size()), {80, 230, 80}, 1);
  }
  return marked;
}

void SaveLook(const std::string& folder, const cv::Mat& bgr, const Report& report) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw Error(ErrorKind::kUnavailable,
                "the folder " + folder + " cannot be made: " + error.message());
  const std::filesystem::path base = std::filesystem::path(folder) / NameOf(report);
  WritePrivate(base.string() + "-report.json", ToJson(report) + "\n");
  if (bgr.empty()) return;
  WritePrivate(base.string() + "-frame.jpg", EncodeJpeg(bgr));
  WritePrivate(base.string() + "-marked.jpg", EncodeJpeg(Annotated(bgr, report)));
  if (report.main_face)
    WritePrivate(base.string() + "-face.jpg",
                 EncodeJpeg(bgr(FaceCrop(report.faces[*report.main_face].box, bgr.size()))));
}

}  // namespace bagel::vision
