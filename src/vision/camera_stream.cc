// Streams and video files, read by OpenCV through FFmpeg.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/videoio.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "formats/quote.h"
#include "vision/camera_source.h"
#include "vision/camera_url.h"

namespace bagel::vision {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr double kUsualRate = 25;  // frames per second where a file does not say

// Both libraries print what goes wrong to the standard error, once per attempt; the camera's state
// says it. FFmpeg's level is read from the environment (-8 is AV_LOG_QUIET), which may only be
// written while there is one thread.
const bool g_quiet = [] {
  setenv("OPENCV_FFMPEG_LOGLEVEL", "-8", 0);
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  return true;
}();

class VideoSource : public FrameSource {
 public:
  // Throws CameraError.
  VideoSource(std::string name, const std::string& address, const std::vector<int>& settings)
      : name_(std::move(name)) {
    if (!video_.open(address, cv::CAP_FFMPEG, settings)) {
      throw CameraError(State::kCameraOffline, name_ + " is no video that can be read");
    }
    CheckSize(static_cast<int64_t>(video_.get(cv::CAP_PROP_FRAME_WIDTH)),
              static_cast<int64_t>(video_.get(cv::CAP_PROP_FRAME_HEIGHT)));
  }

  std::string Format() const override {
    const auto fourcc = static_cast<uint32_t>(video_.get(cv::CAP_PROP_FOURCC));
    std::string format;
    for (uint32_t rest = fourcc; rest != 0; rest >>= 8) {
      const auto c = static_cast<char>(rest & 0x7F);
      if (c > ' ' && c <= '~') format += c;
    }
    return format + (format.empty() ? "" : " ") + std::to_string(width_) + "x" +
           std::to_string(height_);
  }

 protected:
  // False at the end.
  bool Grab() { return video_.grab(); }

  cv::Mat Retrieve() {
    cv::Mat frame;
    // `frame` may refer to the decoder's own memory, so it is copied.
    if (!video_.retrieve(frame) || frame.empty()) {
      ++broken_;
      return {};
    }
    CheckSize(frame.cols, frame.rows);
    return frame.clone();
  }

  const std::string name_;
  cv::VideoCapture video_;

 private:
  void CheckSize(int64_t width, int64_t height) {
    if (width < 0 || height < 0 || (width > 0 && height > kMaxFramePixels / width)) {
      throw CameraError(State::kCameraOffline, name_ + " has frames of " + std::to_string(width) +
                                                   "x" + std::to_string(height) +
                                                   ", at most 32 megapixels can be read");
    }
    width_ = width;
    height_ = height;
  }

  int64_t width_ = 0;
  int64_t height_ = 0;
};

// FFmpeg fills up what a cut off JPEG lacks and calls it a frame, so these are decoded here. What
// it decodes itself comes over TCP, where nothing is lost, and begins with a whole key frame.
class StreamSource : public VideoSource {
 public:
  // Throws CameraError.
  StreamSource(std::string name, const std::string& address, const std::vector<int>& settings)
      : VideoSource(std::move(name), address, settings),
        jpegs_(Format().starts_with("mjpe") || Format().starts_with("MJPG")) {
    if (jpegs_ && !video_.set(cv::CAP_PROP_FORMAT, -1)) {
      throw CameraError(State::kCameraOffline, name_ + ": FFmpeg does not give its JPEGs away");
    }
  }

  SourceFrame Read(steady_clock::time_point wanted_from, const StopSignal& stop) override {
    if (!Grab()) {
      throw CameraError(State::kCameraOffline, name_ + " ended or sends nothing any more");
    }
    const auto received = steady_clock::now();
    if (received < wanted_from || stop.IsSet()) return {};
    return {jpegs_ ? RetrieveJpeg() : Retrieve(), received};
  }

 private:
  cv::Mat RetrieveJpeg() {
    cv::Mat bytes;
    try {
      if (!video_.retrieve(bytes)) throw Error(ErrorKind::kCorrupt, "no bytes");
      return DecodeFrame(std::as_bytes(std::span(bytes.data, bytes.total() * bytes.elemSize())));
    } catch (const Error&) {
      ++broken_;
      return {};
    }
  }

  const bool jpegs_;
};

class FileSource : public VideoSource {
 public:
  explicit FileSource(const std::string& path)
      : VideoSource(path, std::filesystem::absolute(path), {}) {
    const double rate = video_.get(cv::CAP_PROP_FPS);
    between_ = std::chrono::duration_cast<steady_clock::duration>(
        std::chrono::duration<double>(1 / (rate >= 1 && rate <= 1000 ? rate : kUsualRate)));
    due_ = steady_clock::now();
  }

  SourceFrame Read(steady_clock::time_point wanted_from, const StopSignal& stop) override {
    const auto now = steady_clock::now();
    if (due_ > now) {
      stop.WaitFor(std::chrono::ceil<milliseconds>(due_ - now));
    } else if (now - due_ > std::chrono::seconds(1)) {
      due_ = now;  // too slow for this video, or the machine slept
    }
    if (stop.IsSet()) return {};
    if (!Grab()) {
      Rewind();
      return {};
    }
    grabbed_ = true;
    due_ += between_;
    const auto received = steady_clock::now();
    if (received < wanted_from) return {};
    return {Retrieve(), received};
  }

 private:
  void Rewind() {
    if (!grabbed_ || !video_.open(std::filesystem::absolute(name_), cv::CAP_FFMPEG)) {
      throw CameraError(State::kCameraOffline, name_ + " holds no frame that can be read");
    }
    grabbed_ = false;
  }

  steady_clock::duration between_;
  steady_clock::time_point due_;
  bool grabbed_ = false;  // since the beginning of the file
};

}  // namespace

SourceRecipe StreamRecipe(const std::string& url, const CameraOptions& options) {
  SourceRecipe recipe;
  recipe.name = SourceName(url);
  recipe.live = true;
  const auto open_timeout = options.open_timeout;
  const std::vector<int> settings = {
      cv::CAP_PROP_OPEN_TIMEOUT_MSEC, static_cast<int>(options.open_timeout.count()),
      cv::CAP_PROP_READ_TIMEOUT_MSEC, static_cast<int>(options.read_timeout.count())};
  recipe.open = [url, name = recipe.name, settings,
                 open_timeout](const StopSignal& stop) -> std::unique_ptr<FrameSource> {
    const auto begin = steady_clock::now();
    try {
      return std::make_unique<StreamSource>(name, url, settings);
    } catch (const CameraError& error) {
      const auto left = open_timeout - (steady_clock::now() - begin);
      if (stop.IsSet()) throw;
      if (left < open_timeout / 10) {
        throw CameraError(error.state(), name + " did not answer within " + Seconds(open_timeout));
      }
      const std::string reason = WhyUnreachable(url, std::chrono::ceil<milliseconds>(left));
      throw CameraError(error.state(), reason.empty() ? error.what() : name + ": " + reason);
    }
  };
  return recipe;
}

SourceRecipe VideoRecipe(const std::string& path, const CameraOptions& /*options*/) {
  const auto open = [path] { return std::make_unique<FileSource>(path); };
  try {
    open();
  } catch (const CameraError&) {
    throw Error(
        ErrorKind::kUnsupported,
        Quote(path) + " is neither a picture (PNG, JPEG, WebP) nor a video that can be read");
  }
  SourceRecipe recipe;
  recipe.name = path;
  recipe.open = [open](const StopSignal&) { return open(); };
  return recipe;
}

}  // namespace bagel::vision
