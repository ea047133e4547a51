// A look: from a frame to a report.
#ifndef BAGEL_VISION_LOOKER_H_
#define BAGEL_VISION_LOOKER_H_

#include <functional>
#include <string>
#include <string_view>

#include "vision/camera.h"
#include "vision/faces.h"
#include "vision/objects.h"
#include "vision/report.h"
#include "vision/servers.h"

namespace bagel::vision {

struct LookOptions {
  bool person = true;
  bool mood = true;
  int jpeg_quality = 90;
};

// Called while a look goes on, from several threads but never two at once.
struct LookEvents {
  std::function<void(const Report& report)> faces;  // all that is known before anyone is asked
  std::function<void(std::string_view words)> person_words;
  std::function<void(const Mood& mood)> mood;
  std::function<void(const std::vector<Object>& objects)> objects;
};

class Looker {
 public:
  // All must outlive it; `objects` may be null.
  Looker(FaceFinder& faces, ObjectFinder* objects, Servers& servers)
      : faces_(faces), objects_(objects), servers_(servers) {}

  // Reports on a camera's view: a state without words unless its frame is usable. The person and
  // the mood are asked at once, objects are looked for beside them. What fails becomes the report's
  // state and detail; only a cancelled look throws (kCancelled). Thread-safe. `stop` as in Send.
  Report Look(const Camera::View& view, const std::string& camera, const LookOptions& options = {},
              const LookEvents& events = {}, const std::function<bool()>& stop = nullptr);

 private:
  void Ask(const cv::Mat& frame, Report& report, const LookOptions& options,
           const LookEvents& events, const std::function<bool()>& stop);

  FaceFinder& faces_;
  ObjectFinder* const objects_;
  Servers& servers_;
};

// A security camera's picture in words. Throws as Servers::Ask does.
ModelAnswer DescribeScene(Servers& servers, const cv::Mat& bgr,
                          const std::function<void(std::string_view words)>& on_words = nullptr,
                          const std::function<bool()>& stop = nullptr);

// A picture file's bytes. Throws kInternal if the picture cannot be encoded.
std::string EncodeJpeg(const cv::Mat& bgr, int quality = 90);

// The frame with its faces and objects marked.
cv::Mat Annotated(const cv::Mat& bgr, const Report& report);

// Writes the frame, the crop of the main face, the annotated frame and the report into `folder`,
// which is made if need be; each file begins with the time of the frame and only its owner can read
// it. Throws kUnavailable when a file cannot be written.
void SaveLook(const std::string& folder, const cv::Mat& bgr, const Report& report);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_LOOKER_H_
