// What a camera reads from: one open device, stream or file. For use by vision/camera*.cc.
#ifndef BAGEL_VISION_CAMERA_SOURCE_H_
#define BAGEL_VISION_CAMERA_SOURCE_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <opencv2/core.hpp>
#include <span>
#include <stdexcept>
#include <string>

#include "vision/camera.h"
#include "vision/frame.h"

namespace bagel::vision {

// At most this many pixels are decoded, whatever a header promises.
constexpr int64_t kMaxFramePixels = 32'000'000;

// Why a camera cannot be read now: kCameraBusy or kCameraOffline, and one sentence for people.
class CameraError : public std::runtime_error {
 public:
  CameraError(State state, const std::string& detail) : std::runtime_error(detail), state_(state) {}
  State state() const { return state_; }

 private:
  State state_;
};

// Tells a source to give up. Wakes what waits in poll() on `descriptor`.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void Set();
  bool IsSet() const { return set_; }
  int descriptor() const { return descriptor_; }  // readable once set

  // Sleeps; true if the signal came first.
  bool WaitFor(std::chrono::milliseconds time) const;

 private:
  std::atomic<bool> set_ = false;
  int descriptor_;
};

struct SourceFrame {
  cv::Mat bgr;  // 8 bits, three channels, written to by nobody any more; empty: no frame this time
  std::chrono::steady_clock::time_point received;
};

// One open source. Used by one thread; closed by the destructor.
class FrameSource {
 public:
  virtual ~FrameSource() = default;

  // The newest frame; waits for one. What comes before `wanted_from` may be thrown away undecoded.
  // Empty when it was thrown away or is broken, or when `stop` came. Throws CameraError when the
  // source is lost. Should return within the read timeout, on which the camera does not rely.
  virtual SourceFrame Read(std::chrono::steady_clock::time_point wanted_from,
                           const StopSignal& stop) = 0;

  // Frames that could not be decoded.
  uint64_t broken() const { return broken_; }
  // "MJPG 1280x720".
  virtual std::string Format() const = 0;

 protected:
  uint64_t broken_ = 0;
};

// A source that can be opened again and again.
struct SourceRecipe {
  std::string name;    // may be shown
  std::string device;  // the path of a device, whose return ends a wait early; else empty
  bool live = false;   // a sensor is behind it: frames warm up, and equal ones mean frozen
  // Throws CameraError. May take long; gives up when `stop` comes, if it can.
  std::function<std::unique_ptr<FrameSource>(const StopSignal& stop)> open;
};

// Understands what Camera::Open takes. Throws Error for what can never work.
SourceRecipe MakeRecipe(const std::string& source, const CameraOptions& options);

// The kinds. Each throws Error for what can never work.
SourceRecipe DeviceRecipe(const std::string& path, const CameraOptions& options);
SourceRecipe StreamRecipe(const std::string& url, const CameraOptions& options);
SourceRecipe VideoRecipe(const std::string& path, const CameraOptions& options);
SourceRecipe PictureRecipe(const std::string& path);
SourceRecipe FolderRecipe(const std::string& path, int first);
SourceRecipe PatternRecipe(const std::string& source, const CameraOptions& options);

// "1.5 s".
std::string Seconds(std::chrono::steady_clock::duration time);

// Decodes a PNG, JPEG or WebP file of at most kMaxFramePixels. Throws Error.
cv::Mat DecodeFrame(std::span<const std::byte> bytes);

// Where the drawn pictures are: demo/pictures beside the sources or share/sophia/pictures beside
// the program. Throws Error kNotFound that names both.
std::string DemoPictures();

}  // namespace bagel::vision

#endif  // BAGEL_VISION_CAMERA_SOURCE_H_
