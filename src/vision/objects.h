// What things a picture shows and where: detectors on a Hailo accelerator, on another machine, or
// on this processor.
#ifndef BAGEL_VISION_OBJECTS_H_
#define BAGEL_VISION_OBJECTS_H_

#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace bagel::vision {

struct Object {
  std::string label;  // "person", "cup"; "class 93" where no name is known
  int class_id;
  float score;     // 0 to 1
  cv::Rect2f box;  // in source pixels, inside the picture
};

// Below this score nothing is reported.
inline constexpr float kMinObjectScore = 0.4F;

// What is believed of a network: the sides of its input, the number of its classes.
inline constexpr int kMaxNetworkSide = 4096;
inline constexpr int kMaxNetworkClasses = 1000;

// An object detector. Find may be called from any thread; one call is served at a time.
class ObjectFinder {
 public:
  virtual ~ObjectFinder() = default;

  // The objects in `bgr` (8 bits, three channels, not empty), best first. Throws Error when the
  // device, the other machine or the network fails (kUnavailable, also after a time limit) or
  // answers nonsense (kCorrupt); the next call tries again.
  virtual std::vector<Object> Find(const cv::Mat& bgr) = 0;

  // For reports and people: "hailo yolov8n (HailoRT 4.20.0)", "onnx yolox_nano.onnx".
  virtual std::string Name() const = 0;
};

// Loads the detector that `spec` names:
//   "hailo", "hailo:HEF"   a Hailo device of this machine through HailoRT 4.x, with the compiled
//                          network HEF (by default /usr/share/hailo-models/yolov8n.hef)
//   "hailo:http://HOST:PORT"  the detector of the sophia that serves there (POST /detect)
//   "onnx:FILE"            a YOLOv8 or YOLOX file on this processor
//   "none"                 null
//   "auto"                 "hailo" if its library, a device and the network are there, else null
// Throws Error: kInvalidArgument for another spec, kNotFound, kCorrupt, kUnsupported or
// kUnavailable for what is wrong with the file, library or device. A machine that does not answer
// is no error here but one of Find.
std::unique_ptr<ObjectFinder> MakeObjectFinder(const std::string& spec);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_OBJECTS_H_
