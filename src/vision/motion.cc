#include "vision/motion.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>
#include <utility>

namespace bagel::vision {
namespace {

constexpr int kMovingPixel = 255;  // of the mask; shadows are 127

cv::Mat SmallGrey(const cv::Mat& bgr, cv::Size size) {
  cv::Mat small, grey;
  cv::resize(bgr, small, size, 0, 0, cv::INTER_AREA);
  cv::cvtColor(small, grey, cv::COLOR_BGR2GRAY);
  cv::GaussianBlur(grey, grey, {5, 5}, 0);
  return grey;
}

}  // namespace

MotionDetector::MotionDetector(const MotionOptions& options, std::vector<Zone> zones)
    : options_(options), zones_(std::move(zones)) {}

void MotionDetector::Reset() {
  background_.reset();
  frame_size_ = {};
}

void MotionDetector::Prepare(cv::Size size) {
  frame_size_ = size;
  const int width = std::min(options_.width, size.width);
  const cv::Size small(width, std::max(1, size.height * width / size.width));
  background_ = cv::createBackgroundSubtractorMOG2(options_.history, options_.threshold, true);
  frames_ = 0;
  masks_.clear();
  all_zones_ = cv::Mat(small, CV_8UC1, cv::Scalar(zones_.empty() ? 255 : 0));
  for (const Zone& zone : zones_) {
    masks_.push_back(ZoneMask(zone, small));
    all_zones_ |= masks_.back();
  }
}

Motion MotionDetector::Add(const cv::Mat& bgr) {
  if (bgr.size() != frame_size_) {
    Prepare(bgr.size());
  }
  const cv::Size size = all_zones_.size();
  const cv::Mat grey = SmallGrey(bgr, size);
  cv::Mat moving;
  background_->apply(grey, moving);
  const double pixels = size.area();
  Motion motion;
  if (cv::countNonZero(moving) > options_.lighting_area * pixels) {
    motion.lighting = frames_ > 0;
    background_->apply(grey, moving, 1);
    frames_ = 1;
    return motion;
  }
  if (++frames_ <= options_.warm_up) {
    return motion;
  }
  moving = (moving == kMovingPixel) & all_zones_;
  // Noise is single pixels; what remains of one thing is joined.
  cv::morphologyEx(moving, moving, cv::MORPH_OPEN, cv::Mat());
  cv::dilate(moving, moving, cv::Mat(), {-1, -1}, 2);
  cv::Mat pieces, numbers, centres;
  const int count = cv::connectedComponentsWithStats(moving, pieces, numbers, centres);
  cv::Rect box;
  cv::Mat large = cv::Mat::zeros(size, CV_8UC1);
  for (int i = 1; i < count; ++i) {
    const int area = numbers.at<int>(i, cv::CC_STAT_AREA);
    if (area < options_.min_area * pixels) {
      continue;
    }
    motion.area += area / pixels;
    box |= cv::Rect(numbers.at<int>(i, cv::CC_STAT_LEFT), numbers.at<int>(i, cv::CC_STAT_TOP),
                    numbers.at<int>(i, cv::CC_STAT_WIDTH), numbers.at<int>(i, cv::CC_STAT_HEIGHT));
    large |= pieces == i;
  }
  motion.moving = motion.area > 0;
  const auto width = static_cast<float>(size.width), height = static_cast<float>(size.height);
  motion.box = {static_cast<float>(box.x) / width, static_cast<float>(box.y) / height,
                static_cast<float>(box.width) / width, static_cast<float>(box.height) / height};
  for (size_t i = 0; i < zones_.size(); ++i) {
    if (cv::countNonZero(large & masks_[i]) > 0) {
      motion.zones.push_back(zones_[i].name);
    }
  }
  return motion;
}

}  // namespace bagel::vision
