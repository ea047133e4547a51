// Frames that wait to be put into words.
#ifndef BAGEL_VISION_DESCRIBE_QUEUE_H_
#define BAGEL_VISION_DESCRIBE_QUEUE_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <opencv2/core.hpp>
#include <thread>

#include "vision/servers.h"
#include "vision/watch_event.h"

namespace bagel::vision {

struct DescribeOptions {
  size_t size = 8;                               // that may wait
  std::chrono::milliseconds give_up{120'000};    // from an event's frame to its words
  std::chrono::milliseconds first_retry{1'000};  // doubles up to last_retry
  std::chrono::milliseconds last_retry{30'000};
};

// One frame is described at a time. A new one takes the place of the oldest when the queue is full,
// and while no server answers the one in front is tried again until it is too old: so the newest
// events are described first once a server is back, and nothing grows.
class DescribeQueue {
 public:
  using Describe = std::function<ModelAnswer(const WatchEvent& event, const cv::Mat& bgr,
                                             const std::function<bool()>& stop)>;
  using Done = std::function<void(WatchEvent event)>;

  // `done` gets every event once: kDescription, kFailed or kDropped. It is called on the queue's
  // thread or on the one that adds.
  DescribeQueue(Describe describe, Done done, const DescribeOptions& options = {});
  ~DescribeQueue();  // gives up what waits and stops what runs
  DescribeQueue(const DescribeQueue&) = delete;
  DescribeQueue& operator=(const DescribeQueue&) = delete;

  void Add(WatchEvent event, const cv::Mat& bgr);
  size_t waiting();

 private:
  struct Job {
    WatchEvent event;
    cv::Mat bgr;
    std::chrono::steady_clock::time_point added;
  };
  void Work();
  bool Try(Job& job);  // false: try again later

  const Describe describe_;
  const Done done_;
  const DescribeOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_DESCRIBE_QUEUE_H_
