// Is a frame worth describing? Told from its pixels alone.
#ifndef BAGEL_VISION_FRAME_CHECK_H_
#define BAGEL_VISION_FRAME_CHECK_H_

#include <chrono>
#include <cstdint>
#include <opencv2/core.hpp>

#include "vision/frame.h"

namespace bagel::vision {

// What CheckFrame looks at, on 8-bit grey levels.
struct FrameStatistics {
  double mean = 0;
  double deviation = 0;
  double sharpness = 0;  // see MeasureFrame
};

// Mean and standard deviation of the whole frame. Sharpness is the variance of the Laplacian (Pech-
// Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000) of the frame at 640
// columns, of the sharpest of 4x4 tiles: a face before a blurred background is sharp. `bgr` is 8
// bits with 1 or 3 channels and not empty.
FrameStatistics MeasureFrame(const cv::Mat& bgr);

// kDark: mean < 10 and deviation < 5. kNoSignal: one flat colour, deviation < 2. kBlurred:
// sharpness below what photographs of a webcam have. Else kOk.
State CheckFrame(const FrameStatistics& statistics);
State CheckFrame(const cv::Mat& bgr);

// Every pixel counts; equal frames have equal hashes.
uint64_t HashFrame(const cv::Mat& bgr);

// Sees that a live camera gives the same picture again and again; a sensor's noise never does.
class FreezeCheck {
 public:
  // Frozen after `min_frames` equal frames in a row that span at least `after`.
  explicit FreezeCheck(std::chrono::milliseconds after, int min_frames = 10)
      : after_(after), min_frames_(min_frames) {}

  // Takes the next frame; true if it is frozen.
  bool Add(uint64_t hash, std::chrono::steady_clock::time_point received);

 private:
  const std::chrono::milliseconds after_;
  const int min_frames_;
  uint64_t hash_ = 0;
  int equal_ = 0;
  std::chrono::steady_clock::time_point since_;
};

// Waits for the exposure to settle: the first frames of a camera are black, green or glaring.
class WarmUp {
 public:
  // Takes the next frame's mean grey level; true once at least 5 frames and 300 ms have passed and
  // the level moves by less than 2 % from frame to frame, or 2 s have passed.
  bool Add(double mean, std::chrono::steady_clock::time_point received);

 private:
  int frames_ = 0;
  double mean_ = 0;
  std::chrono::steady_clock::time_point first_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_FRAME_CHECK_H_
