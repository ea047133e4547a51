#include "vision/camera_source.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "base/data_folder.h"
#include "base/error.h"
#include "formats/picture.h"
#include "formats/quote.h"

namespace bagel::vision {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDemo = "demo";
constexpr std::string_view kTest = "test:";
constexpr std::string_view kFile = "file:";

bool IsNumber(std::string_view text) {
  return !text.empty() && text.size() <= 4 &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

// "demo" or "demo:7"; the first picture's number from 1, or 0 for other texts.
int DemoNumber(std::string_view source) {
  if (!source.starts_with(kDemo)) return 0;
  const std::string_view rest = source.substr(kDemo.size());
  if (rest.empty()) return 1;
  if (rest.front() != ':' || !IsNumber(rest.substr(1))) return 0;
  return std::stoi(std::string(rest.substr(1)));
}

bool IsPicture(const std::string& path) {
  std::array<char, 12> head = {};
  std::ifstream(path, std::ios::binary).read(head.data(), head.size());
  const std::string_view text(head.data(), head.size());
  return text.starts_with("\x89PNG") || text.starts_with("\xFF\xD8\xFF") ||
         (text.starts_with("RIFF") && text.substr(8) == "WEBP");
}

// Such as there are below /dev/shm.
bool IsFileOrFolder(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) || fs::is_directory(path, error);
}

SourceRecipe FileRecipe(const std::string& path, const CameraOptions& options) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::directory) return FolderRecipe(path, 1);
  if (status.type() == fs::file_type::character) return DeviceRecipe(path, options);
  if (status.type() != fs::file_type::regular) {
    throw Error(ErrorKind::kNotFound,
                "camera " + Quote(path) +
                    (fs::exists(status) ? " is a pipe or socket" : " is not there") +
                    ": expected /dev/videoN, a number, an rtsp:// or http:// address, "
                    "a video, a picture, a folder or demo");
  }
  return IsPicture(path) ? PictureRecipe(path) : VideoRecipe(path, options);
}

}  // namespace

StopSignal::StopSignal() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (descriptor_ < 0) {
    throw Error(ErrorKind::kUnavailable,
                std::string("cannot make an event descriptor: ") + std::strerror(errno));
  }
}

StopSignal::~StopSignal() { close(descriptor_); }

void StopSignal::Set() {
  set_ = true;
  // Fails only when the counter is full, and then it is readable already.
  (void)eventfd_write(descriptor_, 1);
}

bool StopSignal::WaitFor(std::chrono::milliseconds time) const {
  pollfd waiting = {descriptor_, POLLIN, 0};
  poll(&waiting, 1, static_cast<int>(std::clamp<int64_t>(time.count(), 0, 60'000)));
  return set_;
}

SourceRecipe MakeRecipe(const std::string& source, const CameraOptions& options) {
  if (source.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "the camera's name is empty");
  }
  if (IsNumber(source)) return DeviceRecipe("/dev/video" + source, options);
  if (source.starts_with("/dev/") && !IsFileOrFolder(source)) return DeviceRecipe(source, options);
  for (const char* scheme : {"rtsp://", "rtsps://", "http://", "https://"}) {
    if (source.starts_with(scheme)) return StreamRecipe(source, options);
  }
  if (const int number = DemoNumber(source); number > 0) {
    SourceRecipe recipe = FolderRecipe(DemoPictures(), number);
    recipe.name = source;
    return recipe;
  }
  if (source.starts_with(kTest)) return PatternRecipe(source, options);
  if (const size_t colon = source.find("://"); colon != std::string::npos) {
    throw Error(ErrorKind::kUnsupported, "cameras at " + Quote(source.substr(0, colon + 3)) +
                                             " are not supported: use rtsp:// or http://");
  }
  return FileRecipe(source.starts_with(kFile) ? source.substr(kFile.size()) : source, options);
}

std::string Seconds(std::chrono::steady_clock::duration time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", std::chrono::duration<double>(time).count());
  return text;
}

cv::Mat DecodeFrame(std::span<const std::byte> bytes) {
  PictureLimits limits;
  limits.max_bytes = size_t{64} << 20;
  limits.max_pixels = kMaxFramePixels;
  Picture picture = DecodePicture(bytes, limits);
  const cv::Mat rgb(picture.height, picture.width, CV_8UC3, picture.rgb.data());
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  return bgr;
}

std::string DemoPictures() {
  return FindDataFolder("the pictures for the camera \"demo\"", "share/sophia/pictures",
                        "demo/pictures");
}

std::string SourceName(const std::string& source) {
  const size_t scheme = source.find("://");
  if (scheme == std::string::npos) return source;
  const size_t begin = scheme + 3;
  const std::string_view host =
      std::string_view(source).substr(begin, source.find_first_of("/?#", begin) - begin);
  const size_t at = host.rfind('@');
  if (at == std::string_view::npos) return source;
  const size_t colon = host.substr(0, at).find(':');
  if (colon == std::string_view::npos) return source;
  return source.substr(0, begin + colon + 1) + "***" + source.substr(begin + at);
}

}  // namespace bagel::vision
