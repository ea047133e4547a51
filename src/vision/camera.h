// Cameras, and what stands in for one: the newest frame, or why there is none.
#ifndef BAGEL_VISION_CAMERA_H_
#define BAGEL_VISION_CAMERA_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vision/frame.h"

namespace bagel::vision {

struct CameraOptions {
  int width = 1280;  // what a device is asked for; it may give another size
  int height = 720;
  std::chrono::milliseconds open_timeout{5000};
  std::chrono::milliseconds read_timeout{2000};   // between two frames
  std::chrono::milliseconds stale_after{2000};    // an older frame is refused
  std::chrono::milliseconds frozen_after{10000};  // of equal frames from a live camera
  std::chrono::milliseconds first_retry{1000};    // doubles up to last_retry, with jitter
  std::chrono::milliseconds last_retry{30000};
  int frames_per_second = 10;  // that are decoded and checked; the others are thrown away
};

// One camera that is kept open. A thread of its own keeps the newest frame only, checks it, and
// reconnects when the camera is lost. All functions may be called from any thread, and none waits
// longer than it says, whatever the device, the network or a decoder does.
class Camera {
 public:
  // Starts to open `source`; returns at once. What can come back later (a device that is not there
  // or busy, a stream that does not answer) is a state. Throws Error for what can never work:
  //   "/dev/video0", "0", "/dev/v4l/by-id/..."    a V4L2 device
  //   "rtsp://...", "rtsps://...", "http://...", "https://..."    a stream
  //   a video file        played at its own speed, over and over
  //   a picture file      PNG, JPEG, WebP
  //   a folder            its pictures by name, each for 5 seconds, over and over
  //   "demo", "demo:7"    the drawn pictures that come with this program, from the first or seventh
  //   "test:pattern", "test:pattern?fault=black|flat|blur|freeze|unplug@5s|slow|corrupt|hang@5s"
  static std::unique_ptr<Camera> Open(const std::string& source, const CameraOptions& options = {});
  ~Camera();
  Camera(const Camera&) = delete;
  Camera& operator=(const Camera&) = delete;

  struct View {
    State state = State::kStarting;
    Frame frame;         // empty without one; a dark, blurred, ... frame is there to be shown
    std::string detail;  // one sentence for people: what is wrong and what to do
  };

  // The newest frame that was received after `newer_than`. Waits at most `patience` for one that
  // is usable; gives up at once when the camera is known to be offline, busy, private, dark, flat
  // or frozen. A frame with state kOk is never older than stale_after.
  View Newest(std::chrono::milliseconds patience,
              std::chrono::steady_clock::time_point newer_than = {});

  // Closes the camera at once and forgets its frame, or opens it again. On return no newer frame
  // will be seen by anyone, and a device is closed.
  void SetPrivacy(bool on);
  bool privacy() const;

  // `action` is called on the camera's thread whenever the state changes, and once now.
  // It must not call the camera's destructor. An empty one ends that.
  void OnState(std::function<void(State, const std::string& detail)> action);

  struct Statistics {
    State state = State::kStarting;
    std::string detail;
    uint64_t frames = 0;                           // decoded
    uint64_t broken = 0;                           // could not be decoded
    uint64_t reconnects = 0;                       // attempts after the first
    std::optional<std::chrono::milliseconds> age;  // of the newest frame
    int width = 0;
    int height = 0;
    std::string format;  // "MJPG 1280x720", empty while closed
  };
  Statistics statistics() const;

  // The source as it may be shown: without the password of a URL.
  const std::string& name() const;

 private:
  class Impl;
  explicit Camera(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// `source` without the password of a URL: "rtsp://me:***@host/".
std::string SourceName(const std::string& source);

struct CameraFormat {
  std::string fourcc;       // "MJPG"
  std::string description;  // the driver's words
  std::vector<std::pair<int, int>> sizes;
};

// One capture device of this machine.
struct CameraInfo {
  std::string path;   // "/dev/video0"
  std::string by_id;  // "/dev/v4l/by-id/...", which stays the same; empty if there is none
  std::string name;
  std::string driver;
  std::string bus;
  std::vector<CameraFormat> formats;
  bool busy = false;
  std::string problem;  // why it cannot be used and what to do; empty if it can
};

// The V4L2 devices that capture pictures, by number. Those that may not be opened are listed with
// their problem; metadata and output nodes are left out.
std::vector<CameraInfo> ListCameras();

}  // namespace bagel::vision

#endif  // BAGEL_VISION_CAMERA_H_
