// A V4L2 node that is open. For use by vision/camera_*.cc.
#ifndef BAGEL_VISION_CAMERA_DEVICE_H_
#define BAGEL_VISION_CAMERA_DEVICE_H_

#include <cstdint>
#include <string>

#include "vision/camera_source.h"

namespace bagel::vision {

class VideoDevice {
 public:
  // Opens without waiting. Throws CameraError that says why not and what to do.
  explicit VideoDevice(const std::string& path);
  ~VideoDevice();
  VideoDevice(const VideoDevice&) = delete;
  VideoDevice& operator=(const VideoDevice&) = delete;

  // 0, or the error number. Repeated while a signal interrupts it.
  int Control(unsigned long request, void* argument) const;

  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

// What error number `error` of a device means: `doing` is "cannot be opened", "cannot be read".
CameraError DeviceError(const std::string& path, const char* doing, int error);

// "MJPG".
std::string FourccName(uint32_t fourcc);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_CAMERA_DEVICE_H_
