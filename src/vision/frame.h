// One picture of a camera and what is known about it.
#ifndef BAGEL_VISION_FRAME_H_
#define BAGEL_VISION_FRAME_H_

#include <chrono>
#include <cstdint>
#include <opencv2/core.hpp>

namespace bagel::vision {

// What a camera or a report is in. Everything but kOk and kNoFace means that the picture is not
// described.
enum class State : uint8_t {
  kOk,
  kNoFace,         // reports only: a usable picture without a face
  kStarting,       // the camera has not given a settled frame yet
  kDark,           // black: covered lens or no light
  kFrozen,         // the same picture again and again
  kNoSignal,       // one flat colour
  kBlurred,        // out of focus or moving too fast
  kStale,          // the newest frame is too old
  kCameraBusy,     // another program has it
  kCameraOffline,  // unplugged, unreachable, ended
  kPrivacy,        // stopped on purpose
  kServerOffline,  // reports only: no server answered
};

// "ok", "no_face", "starting", "dark", "frozen", "no_signal", "blurred", "stale", "camera_busy",
// "camera_offline", "privacy", "server_offline".
const char* StateName(State state);

struct Frame {
  cv::Mat bgr;  // 8 bits, three channels; not empty
  std::chrono::system_clock::time_point captured_at;
  std::chrono::steady_clock::time_point received;  // the same moment, for ages
  uint64_t sequence = 0;                           // counts from 1 for each camera
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_FRAME_H_
