// A picture inside the fixed input of a network, and the way back.
#ifndef BAGEL_VISION_LETTERBOX_H_
#define BAGEL_VISION_LETTERBOX_H_

#include <opencv2/core.hpp>

namespace bagel::vision {

// `source` scaled to fit into `input` with its sides' ratio kept; what remains is grey 114, as
// YOLO's training fills it: on both sides alike (YOLOv5 and later), or below and to the right
// (YOLOX).
class Letterbox {
 public:
  enum class Place { kMiddle, kTopLeft };

  // `source` is 8 bits, three channels, not empty.
  Letterbox(const cv::Mat& source, cv::Size input, Place place);

  const cv::Mat& picture() const { return picture_; }

  // A box in pixels of the input as one in pixels of the source, clamped to it; empty if it is
  // outside or not of finite numbers.
  cv::Rect2f ToSource(const cv::Rect2d& box) const;

 private:
  cv::Size source_;
  cv::Mat picture_;
  cv::Point2d scale_;
  cv::Point offset_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_LETTERBOX_H_
