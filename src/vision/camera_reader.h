// A thread that opens and reads one source, and can be given up. For use by vision/camera.cc.
#ifndef BAGEL_VISION_CAMERA_READER_H_
#define BAGEL_VISION_CAMERA_READER_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "vision/camera_source.h"

namespace bagel::vision {

// Drivers, networks and decoders can block for ever, in the call that opens as in the one that
// reads. So the source lives on a thread of its own, which shares nothing but this object: whoever
// waits here has a deadline, and a thread that hangs is left behind and ends when its call returns.
class SourceReader : public std::enable_shared_from_this<SourceReader> {
 public:
  // Starts the thread. It decodes at most `frames_per_second`.
  static std::shared_ptr<SourceReader> Start(SourceRecipe recipe, int frames_per_second);
  SourceReader(const SourceReader&) = delete;
  SourceReader& operator=(const SourceReader&) = delete;

  // Waits until the source is open; false if `deadline` or Stop came first. Throws
  // CameraError.
  bool WaitOpen(std::chrono::steady_clock::time_point deadline);

  // Takes the newest frame, which nobody has taken yet; empty if `deadline` or Stop came first.
  // Throws CameraError when the source is lost.
  SourceFrame Take(std::chrono::steady_clock::time_point deadline);

  uint64_t broken() const;     // frames that could not be decoded
  std::string format() const;  // empty until it is open

  // Ends the thread as soon as its call returns, and every wait at once.
  void Stop();
  bool stopped() const { return stop_.IsSet(); }
  // True once the source is closed; waits at most `patience`.
  bool WaitClosed(std::chrono::milliseconds patience);

 private:
  SourceReader() = default;
  void Run(const SourceRecipe& recipe, std::chrono::milliseconds interval);
  void ReadAll(FrameSource& source, std::chrono::milliseconds interval);
  template <typename Ready>
  void Wait(std::unique_lock<std::mutex>& lock, std::chrono::steady_clock::time_point deadline,
            Ready ready);

  StopSignal stop_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  std::string format_;
  std::optional<CameraError> error_;
  SourceFrame newest_;
  uint64_t broken_ = 0;
  bool closed_ = false;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_CAMERA_READER_H_
