#include "vision/frame_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <opencv2/imgproc.hpp>

#include "base/error.h"

namespace bagel::vision {
namespace {

constexpr double kDarkMean = 10;
constexpr double kDarkDeviation = 5;
constexpr double kFlatDeviation = 2;
// Seven photographs of scenes at 1280 columns have 0.16 and more; blurred with a standard deviation
// of 2 pixels 0.017 and more, of 4 pixels 0.006 and less (tests/photo_blur_test.cc). Others, soft
// ones included, have 0.029 and more. Texture alone, such as grass, passes however blurred. What
// the coding of a JPEG adds is a Laplacian of 1 to 2.
constexpr double kSharpness = 0.008;  // of the frame's variance
constexpr double kSharpnessFloor = 3;

constexpr int kColumns = 640;  // where sharpness is measured, whatever the camera's size
constexpr int kTiles = 4;

constexpr int kWarmUpFrames = 5;
constexpr std::chrono::milliseconds kWarmUpTime{300};
constexpr std::chrono::milliseconds kWarmUpLimit{2000};
constexpr double kSettled = 0.02;

double Sharpness(const cv::Mat& grey) {
  cv::Mat small = grey;
  if (grey.cols > kColumns) {
    const double scale = static_cast<double>(kColumns) / grey.cols;
    const int rows = std::max(1, static_cast<int>(grey.rows * scale));
    cv::resize(grey, small, cv::Size(kColumns, rows), 0, 0, cv::INTER_AREA);
  }
  cv::Mat laplacian;
  cv::Laplacian(small, laplacian, CV_16S);
  double sharpest = 0;
  for (int tile = 0; tile < kTiles * kTiles; ++tile) {
    const int row = tile / kTiles;
    const int column = tile % kTiles;
    const cv::Range rows(small.rows * row / kTiles, small.rows * (row + 1) / kTiles);
    const cv::Range columns(small.cols * column / kTiles, small.cols * (column + 1) / kTiles);
    if (rows.empty() || columns.empty()) continue;
    cv::Scalar mean, deviation;
    cv::meanStdDev(laplacian(rows, columns), mean, deviation);
    sharpest = std::max(sharpest, deviation[0] * deviation[0]);
  }
  return sharpest;
}

}  // namespace

FrameStatistics MeasureFrame(const cv::Mat& bgr) {
  CHECK(!bgr.empty() && bgr.depth() == CV_8U && (bgr.channels() == 1 || bgr.channels() == 3));
  cv::Mat grey = bgr;
  if (bgr.channels() == 3) cv::cvtColor(bgr, grey, cv::COLOR_BGR2GRAY);
  cv::Scalar mean, deviation;
  cv::meanStdDev(grey, mean, deviation);
  return {mean[0], deviation[0], Sharpness(grey)};
}

State CheckFrame(const FrameStatistics& statistics) {
  if (statistics.mean < kDarkMean && statistics.deviation < kDarkDeviation) return State::kDark;
  if (statistics.deviation < kFlatDeviation) return State::kNoSignal;
  const double variance = statistics.deviation * statistics.deviation;
  const double least = std::max(kSharpness * variance, kSharpnessFloor);
  return statistics.sharpness < least ? State::kBlurred : State::kOk;
}

State CheckFrame(const cv::Mat& bgr) { return CheckFrame(MeasureFrame(bgr)); }

uint64_t HashFrame(const cv::Mat& bgr) {
  // FNV-1a over words instead of bytes, with the high bits folded back: a multiplication only
  // carries upwards.
  constexpr uint64_t kPrime = 0x100000001b3;
  uint64_t hash = 0xcbf29ce484222325;
  const size_t row_bytes = static_cast<size_t>(bgr.cols) * bgr.elemSize();
  for (int row = 0; row < bgr.rows; ++row) {
    const uint8_t* const bytes = bgr.ptr(row);
    for (size_t i = 0; i < row_bytes; i += sizeof(uint64_t)) {
      uint64_t word = 0;
      std::memcpy(&word, bytes + i, std::min(sizeof word, row_bytes - i));
      hash = (hash ^ word) * kPrime;
      hash ^= hash >> 32;
    }
  }
  return hash;
}

bool FreezeCheck::Add(uint64_t hash, std::chrono::steady_clock::time_point received) {
  if (equal_ == 0 || hash != hash_) {
    hash_ = hash;
    equal_ = 1;
    since_ = received;
    return false;
  }
  equal_ = std::min(equal_ + 1, min_frames_);
  return equal_ >= min_frames_ && received - since_ >= after_;
}

bool WarmUp::Add(double mean, std::chrono::steady_clock::time_point received) {
  if (frames_ == 0) first_ = received;
  ++frames_;
  const double change = std::abs(mean - mean_);
  const bool settled = frames_ > 1 && change <= kSettled * std::max(mean, 1.0);
  mean_ = mean;
  const auto passed = received - first_;
  if (passed >= kWarmUpLimit) return true;
  return frames_ >= kWarmUpFrames && passed >= kWarmUpTime && settled;
}

}  // namespace bagel::vision
