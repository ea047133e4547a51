// Parts of a picture that matter, as polygons.
#ifndef BAGEL_VISION_ZONES_H_
#define BAGEL_VISION_ZONES_H_

#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace bagel::vision {

struct Zone {
  std::string name;
  std::vector<cv::Point2f> points;  // a polygon; (0, 0) is the top left corner, (1, 1) the opposite
};

// A picture of `size` with one byte a pixel, 255 inside the zone.
cv::Mat ZoneMask(const Zone& zone, cv::Size size);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_ZONES_H_
