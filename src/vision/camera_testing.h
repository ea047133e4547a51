// For tests of cameras.
#ifndef BAGEL_VISION_CAMERA_TESTING_H_
#define BAGEL_VISION_CAMERA_TESTING_H_

#include <chrono>
#include <thread>

#include "vision/camera.h"

namespace bagel::vision {

inline constexpr std::chrono::milliseconds kPatience{20'000};

// The camera's newest view once it is in `state`, or when `patience` has passed.
inline Camera::View WaitFor(Camera& camera, State state,
                            std::chrono::milliseconds patience = kPatience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (true) {
    Camera::View view = camera.Newest(std::chrono::milliseconds(100));
    if (view.state == state || std::chrono::steady_clock::now() > until) return view;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace bagel::vision

#endif  // BAGEL_VISION_CAMERA_TESTING_H_
