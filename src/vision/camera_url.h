// Why a stream cannot be had. For use by vision/camera_*.cc.
#ifndef BAGEL_VISION_CAMERA_URL_H_
#define BAGEL_VISION_CAMERA_URL_H_

#include <chrono>
#include <string>

namespace bagel::vision {

// Asks for an rtsp://, rtsps://, http:// or https:// address again, without its content, and says
// what came back: "connection refused", "user or password is wrong (401)". FFmpeg only says that it
// failed. Empty if the answer is a good one or the time is over in the middle of it.
std::string WhyUnreachable(const std::string& url, std::chrono::milliseconds timeout);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_CAMERA_URL_H_
