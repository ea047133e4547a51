#include "vision/objects.h"

#include "base/error.h"
#include "formats/quote.h"
#include "vision/hailo_objects.h"
#include "vision/onnx_objects.h"
#include "vision/remote_objects.h"

namespace bagel::vision {

std::unique_ptr<ObjectFinder> MakeObjectFinder(const std::string& spec) {
  if (spec == "none") {
    return nullptr;
  }
  if (spec == "auto") {
    try {
      return MakeHailoObjects("");
    } catch (const Error&) {
      return nullptr;
    }
  }
  if (spec == "hailo") {
    return MakeHailoObjects("");
  }
  const size_t colon = spec.find(':');
  const std::string kind = spec.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : spec.substr(colon + 1);
  if (kind == "hailo" && (rest.starts_with("http://") || rest.starts_with("https://"))) {
    return MakeRemoteObjects(rest);
  }
  if (kind == "hailo" && !rest.empty()) {
    return MakeHailoObjects(rest);
  }
  if (kind == "onnx" && !rest.empty()) {
    return MakeOnnxObjects(rest);
  }
  throw Error(ErrorKind::kInvalidArgument,
              "the object detector " + Quote(spec) +
                  " is none of hailo, hailo:HEF, hailo:URL, onnx:FILE, none and auto");
}

}  // namespace bagel::vision
