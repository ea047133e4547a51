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
  const double left = std::max(0.0, (box.x - offset_.x) / scale_.x);
  const double top = std::max(0.0, (box.y - offset_.y) / scale_.y);
  const double right = std::min<double>(source_.width, (box.x + box.width - offset_.x) / scale_.x);
  const double bottom =
      std::min<double>(source_.height, (box.y + box.height - offset_.y) / scale_.y);
  // Comparisons with what is not a number are false.
  if (!(right > left && bottom > top)) {
    return {};
  }
  return {static_cast<float>(left), static_cast<float>(top), static_cast<float>(right - left),
          static_cast<float>(bottom - top)};
}

}  // namespace bagel::vision
