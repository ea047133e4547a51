#include "vision/letterbox.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace bagel::vision {

Letterbox::Letterbox(const cv::Mat& source, cv::Size input, Place place) : source_(source.size()) {
  const double ratio = std::min(static_cast<double>(input.width) / source.cols,
                                static_cast<double>(input.height) / source.rows);
  const cv::Size inner(
      std::clamp(static_cast<int>(std::lround(source.cols * ratio)), 1, input.width),
      std::clamp(static_cast<int>(std::lround(source.rows * ratio)), 1, input.height));
  scale_ = {static_cast<double>(inner.width) / source.cols,
            static_cast<double>(inner.height) / source.rows};
  if (place == Place::kMiddle) {
    offset_ = {(input.width - inner.width) / 2, (input.height - inner.height) / 2};
  }
  picture_ = cv::Mat(input, CV_8UC3, cv::Scalar::all(114));
  cv::resize(source, picture_(cv::Rect(offset_, inner)), inner, 0, 0,
             ratio < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
}

cv::Rect2f Letterbox::ToSource(const cv::Rect2d& box) const {
  const double x = (box.x - offset_.x) / scale_.x;
  const double y = (box.y - offset_.y) / scale_.y;
  const double left = std::clamp<double>(x, 0, source_.width);
  const double top = std::clamp<double>(y, 0, source_.height);
  const double right = std::clamp<double>(x + box.width / scale_.x, 0, source_.width);
  const double bottom = std::clamp<double>(y + box.height / scale_.y, 0, source_.height);
  // What is not a number stays so in std::clamp, and comparisons with it are false.
  if (!(right > left && bottom > top)) {
    return {};
  }
  return {static_cast<float>(left), static_cast<float>(top), static_cast<float>(right - left),
          static_cast<float>(bottom - top)};
}

}  // namespace bagel::vision
