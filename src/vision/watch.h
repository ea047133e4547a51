// Watching cameras: frames in, events out.
#ifndef BAGEL_VISION_WATCH_H_
#define BAGEL_VISION_WATCH_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "vision/camera.h"
#include "vision/describe_queue.h"
#include "vision/event_tracker.h"
#include "vision/motion.h"
#include "vision/outputs.h"
#include "vision/snapshots.h"

namespace bagel::vision {

struct WatchedCamera {
  std::string name;    // letters, digits, '-' and '_'; for topics and file names
  std::string source;  // as Camera::Open takes it
  std::vector<Zone> zones;
  MotionOptions motion;
  EventOptions events;
  std::string prompt;  // empty = the one for security cameras
};

struct WatchOptions {
  std::vector<WatchedCamera> cameras;
  CameraOptions camera;
  DescribeOptions describe;
  SnapshotOptions snapshots;  // none without a folder
};

// Cameras, the queue in front of the server, and what is told to the outputs. Runs until it is
// destroyed, whatever cameras, servers and outputs do.
class Watch {
 public:
  // The words for one camera's frame. Throws Error; after kUnavailable it is tried again.
  using Describe = std::function<ModelAnswer(const WatchedCamera& camera, const cv::Mat& bgr,
                                             const std::function<bool()>& stop)>;

  // Throws Error for a source that can never work or a folder that cannot be made.
  Watch(const WatchOptions& options, Describe describe);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Before Start only.
  void AddOutput(std::unique_ptr<EventOutput> output, const OutputOptions& options);
  void Start();

  // Stops a camera at once, or opens it again; an unknown name is ignored. From any thread.
  void Switch(const std::string& camera, bool on);

  struct Counts {
    uint64_t motion = 0, described = 0, failed = 0, dropped = 0;
  };
  Counts counts() const;
  // By the camera's name.
  std::map<std::string, Camera::Statistics> cameras() const;
  // Events that wait to be described.
  size_t waiting() { return queue_->waiting(); }
  // By the output's name: events that it could not take.
  std::map<std::string, uint64_t> lost() const;

 private:
  struct Watcher {
    WatchedCamera options;
    std::unique_ptr<Camera> camera;
    MotionDetector detector;
    EventTracker tracker;
    WatchEvent event;  // that goes on
    uint64_t next_event = 1;
    std::string said_state;
    std::thread thread;
  };
  void Run(Watcher& watcher);
  void Take(Watcher& watcher, const Frame& frame);
  void Follow(Watcher& watcher, const EventTracker::Step& step);
  void Begin(Watcher& watcher);
  void Choose(Watcher& watcher);
  void SayState(Watcher& watcher, const Camera::View& view);
  void Tell(const WatchEvent& event);

  const WatchOptions options_;
  std::unique_ptr<Snapshots> snapshots_;
  std::vector<std::unique_ptr<OutputQueue>> outputs_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::atomic<uint64_t> motion_{0}, described_{0}, failed_{0}, dropped_{0};
  std::atomic<bool> stopping_{false};
  std::unique_ptr<DescribeQueue> queue_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_WATCH_H_
