// test:pattern, a camera that is not there: to try what follows, and what happens when it fails.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <memory>
#include <mutex>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.h"
#include "formats/picture.h"
#include "formats/quote.h"
#include "vision/camera_source.h"

namespace bagel::vision {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view kPattern = "test:pattern";
constexpr std::string_view kQuery = "?fault=";
constexpr milliseconds kBetweenFrames{33};
constexpr milliseconds kSlowFrames{3000};
constexpr int kHangs = 10;  // times the time before

enum class Fault { kNone, kBlack, kFlat, kBlur, kFreeze, kUnplug, kSlow, kCorrupt, kHang };

struct PatternFault {
  Fault fault = Fault::kNone;
  milliseconds after{0};
};

// "5s" or "500ms".
std::optional<milliseconds> ParseTime(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  if (error != std::errc{} || value < 1 || value > 1'000'000) return std::nullopt;
  if (unit == "ms") return milliseconds(value);
  if (unit == "s") return std::chrono::seconds(value);
  return std::nullopt;
}

PatternFault ParsePattern(const std::string& source) {
  struct Named {
    std::string_view name;
    Fault fault;
    bool timed;
  };
  constexpr Named kFaults[] = {
      {"black", Fault::kBlack, false},     {"flat", Fault::kFlat, false},
      {"blur", Fault::kBlur, false},       {"freeze", Fault::kFreeze, false},
      {"unplug", Fault::kUnplug, true},    {"slow", Fault::kSlow, false},
      {"corrupt", Fault::kCorrupt, false}, {"hang", Fault::kHang, true}};
  const std::string_view text = source;
  if (text == kPattern) return {};
  if (text.starts_with(kPattern) && text.substr(kPattern.size()).starts_with(kQuery)) {
    const std::string_view fault = text.substr(kPattern.size() + kQuery.size());
    const size_t at = fault.find('@');
    for (const Named& known : kFaults) {
      if (fault.substr(0, at) != known.name || known.timed != (at != std::string_view::npos)) {
        continue;
      }
      if (!known.timed) return {known.fault};
      if (const auto time = ParseTime(fault.substr(at + 1))) return {known.fault, *time};
    }
  }
  throw Error(ErrorKind::kInvalidArgument,
              "camera " + Quote(source) +
                  " is unknown: expected test:pattern or test:pattern?fault=black, flat, blur, "
                  "freeze, slow, corrupt, unplug@5s or hang@500ms");
}

// Coloured squares that wander, and a sensor's noise.
cv::Mat DrawPattern(int width, int height, int64_t number) {
  cv::Mat frame(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    cv::Vec3b* const row = frame.ptr<cv::Vec3b>(y);
    for (int x = 0; x < width; ++x) {
      const auto shifted = static_cast<unsigned>(x + number * 4);
      const unsigned square = (shifted / 80 + static_cast<unsigned>(y) / 80) % 4;
      row[x] =
          cv::Vec3b(static_cast<uint8_t>(60 + 40 * square), static_cast<uint8_t>(y * 200 / height),
                    static_cast<uint8_t>(200 - 40 * square));
    }
  }
  cv::Mat noise(height, width, CV_8UC3);
  cv::RNG(static_cast<uint64_t>(number) + 1).fill(noise, cv::RNG::UNIFORM, 0, 6);
  return frame + noise;
}

class PatternSource : public FrameSource {
 public:
  PatternSource(PatternFault fault, int width, int height)
      : fault_(fault), width_(width), height_(height), opened_(steady_clock::now()) {}

  SourceFrame Read(steady_clock::time_point wanted_from, const StopSignal& stop) override {
    const bool slow = fault_.fault == Fault::kSlow;
    if (stop.WaitFor(slow ? kSlowFrames : kBetweenFrames)) return {};
    const auto now = steady_clock::now();
    const bool late = fault_.after.count() > 0 && now - opened_ >= fault_.after;
    if (late && fault_.fault == Fault::kUnplug) {
      throw CameraError(State::kCameraOffline, "test:pattern is unplugged");
    }
    if (late && fault_.fault == Fault::kHang) {
      std::this_thread::sleep_for(fault_.after * kHangs);
    }
    if (now < wanted_from) return {};
    return {Spoil(DrawPattern(width_, height_, fault_.fault == Fault::kFreeze ? 0 : number_++)),
            now};
  }

  std::string Format() const override {
    return "pattern " + std::to_string(width_) + "x" + std::to_string(height_);
  }

 private:
  cv::Mat Spoil(cv::Mat frame) {
    switch (fault_.fault) {
      case Fault::kBlack:
        frame.convertTo(frame, -1, 0.01);
        break;
      case Fault::kFlat:
        frame.setTo(cv::Scalar(200, 80, 20));
        break;
      case Fault::kBlur:
        cv::blur(frame, frame, cv::Size(width_ / 10 + 1, width_ / 10 + 1));
        cv::blur(frame, frame, cv::Size(width_ / 40 + 1, width_ / 40 + 1));
        break;
      case Fault::kCorrupt:
        return Corrupt(frame);
      default:
        break;
    }
    return frame;
  }

  // What is left of a JPEG that was cut off in transfer: nothing.
  cv::Mat Corrupt(const cv::Mat& frame) {
    Picture picture;
    picture.width = frame.cols;
    picture.height = frame.rows;
    picture.rgb.assign(frame.datastart, frame.dataend);
    std::vector<std::byte> jpeg = EncodeJpeg(picture, 80);
    jpeg.resize(jpeg.size() / 2);
    try {
      return DecodeFrame(jpeg);
    } catch (const Error&) {
      ++broken_;
      return {};
    }
  }

  const PatternFault fault_;
  const int width_;
  const int height_;
  const steady_clock::time_point opened_;
  int64_t number_ = 0;
};

}  // namespace

SourceRecipe PatternRecipe(const std::string& source, const CameraOptions& options) {
  const PatternFault fault = ParsePattern(source);
  SourceRecipe recipe;
  recipe.name = source;
  recipe.live = true;
  recipe.open = [fault, width = options.width, height = options.height](const StopSignal&) {
    return std::make_unique<PatternSource>(fault, width, height);
  };
  return recipe;
}

}  // namespace bagel::vision
