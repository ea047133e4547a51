// Where the faces of a picture are, whose face is the main one, and what to cut out around it.
#ifndef BAGEL_VISION_FACES_H_
#define BAGEL_VISION_FACES_H_

#include <memory>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

namespace bagel::vision {

struct Face {
  cv::Rect box;  // in pixels, inside the picture
  float score;   // of yunet 0 to 1; of haar the number of raw detections that agree
};

struct FaceOptions {
  double scale = 1.2;      // haar: between two sizes of the search, above 1
  int neighbours = 5;      // haar: raw detections that must agree
  int min_size = 60;       // pixels of the smallest face's side
  float min_score = 0.8F;  // yunet; a cat can reach 0.75
};

// A face detector. Find may be called from any thread; one call is served at a time.
class FaceFinder {
 public:
  virtual ~FaceFinder() = default;

  // The faces in `bgr` (8 bits, three channels, not empty), largest first.
  virtual std::vector<Face> Find(const cv::Mat& bgr) = 0;
};

// Loads the detector that `spec` names, once:
//   "haar"         OpenCV's frontal face cascade from Debian's opencv-data (Viola and Jones,
//                  "Rapid object detection using a boosted cascade of simple features", 2001);
//                  where that sees nobody, the one called alt2
//   "haar:FILE"    another cascade alone
//   "yunet:FILE"   YuNet's ONNX file (Wu, Peng and Yu, "YuNet: a tiny millisecond-level face
//                  detector", 2023)
// Throws Error: kInvalidArgument for another spec, kNotFound for a missing file, kCorrupt for one
// that is no such detector.
std::unique_ptr<FaceFinder> MakeFaceFinder(const std::string& spec,
                                           const FaceOptions& options = {});

// The largest face; of several equally large ones the one closest to the middle of the frame.
std::optional<Face> MainFace(const std::vector<Face>& faces, cv::Size frame);

// The part of the frame to cut out around a face: `padding` of its width and height on each side,
// clamped to the frame. Empty if the face is empty or outside the frame.
cv::Rect FaceCrop(const cv::Rect& face, cv::Size frame, double padding = 0.4);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_FACES_H_
