#include "vision/frame.h"

namespace bagel::vision {

const char* StateName(State state) {
  switch (state) {
    case State::kOk:
      return "ok";
    case State::kNoFace:
      return "no_face";
    case State::kStarting:
      return "starting";
    case State::kDark:
      return "dark";
    case State::kFrozen:
      return "frozen";
    case State::kNoSignal:
      return "no_signal";
    case State::kBlurred:
      return "blurred";
    case State::kStale:
      return "stale";
    case State::kCameraBusy:
      return "camera_busy";
    case State::kCameraOffline:
      return "camera_offline";
    case State::kPrivacy:
      return "privacy";
    case State::kServerOffline:
      return "server_offline";
  }
  return "?";
}

}  // namespace bagel::vision
