// Does something move? Background subtraction on a small grey picture.
#ifndef BAGEL_VISION_MOTION_H_
#define BAGEL_VISION_MOTION_H_

#include <opencv2/core.hpp>
#include <opencv2/video/background_segm.hpp>
#include <string>
#include <vector>

#include "vision/zones.h"

namespace bagel::vision {

struct MotionOptions {
  int width = 320;          // of the small picture, in pixels
  double min_area = 0.005;  // of the picture, that must move in one piece
  double lighting_area =
      0.6;                // of the picture; when more than this changes at once it is the light
  double threshold = 25;  // squared distance from the background in standard deviations
  int history = 200;      // frames that make the background
  int warm_up = 5;        // frames before anything is called motion
};

struct Motion {
  bool moving = false;
  double area = 0;                 // of the picture, of all pieces that are large enough
  cv::Rect2f box;                  // around them; (0, 0) to (1, 1) is the whole picture
  std::vector<std::string> zones;  // that they touch; empty where no zones are given
  bool lighting = false;           // the light jumped, which is no motion
};

// Feed it the frames of one camera in order. The background is a mixture of Gaussians (Zivkovic,
// "Improved adaptive Gaussian mixture model for background subtraction", 2004), shadows left out.
// A cloud, a lamp or the camera's exposure change most of the picture at once: then the background
// is learnt anew. Not thread-safe.
class MotionDetector {
 public:
  // With zones, only what happens inside of them counts.
  explicit MotionDetector(const MotionOptions& options = {}, std::vector<Zone> zones = {});

  // `bgr`: 8 bits, three channels, not empty. A frame of another size begins anew.
  Motion Add(const cv::Mat& bgr);

  // Forgets the background, for when the camera was away.
  void Reset();

 private:
  void Prepare(cv::Size size);

  const MotionOptions options_;
  const std::vector<Zone> zones_;
  cv::Ptr<cv::BackgroundSubtractorMOG2> background_;
  cv::Size frame_size_;
  std::vector<cv::Mat> masks_;  // of the zones
  cv::Mat all_zones_;
  int frames_ = 0;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_MOTION_H_
