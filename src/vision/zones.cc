#include "vision/zones.h"

#include <opencv2/imgproc.hpp>

namespace bagel::vision {

cv::Mat ZoneMask(const Zone& zone, cv::Size size) {
  std::vector<cv::Point> corners;
  for (const cv::Point2f& point : zone.points) {
    corners.emplace_back(cvRound(point.x * static_cast<float>(size.width - 1)),
                         cvRound(point.y * static_cast<float>(size.height - 1)));
  }
  cv::Mat mask = cv::Mat::zeros(size, CV_8UC1);
  cv::fillPoly(mask, std::vector<std::vector<cv::Point>>{corners}, cv::Scalar(255));
  return mask;
}

}  // namespace bagel::vision
