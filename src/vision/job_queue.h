// One job at a time, in the order in which they came, and few that wait.
#ifndef BAGEL_VISION_JOB_QUEUE_H_
#define BAGEL_VISION_JOB_QUEUE_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace bagel::vision {

class JobQueue {
 public:
  explicit JobQueue(size_t max_waiting);
  // Waits for the job that runs; those that wait are dropped.
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  // `run` is called on the queue's thread, and may not throw, unless `wanted` is false by then.
  // `wanted` may be called at any time from any thread. False, and nothing queued, when max_waiting
  // jobs wait that are still wanted.
  bool Add(std::function<bool()> wanted, std::function<void()> run);

  size_t waiting();
  // How long the job that runs has been running.
  std::optional<std::chrono::milliseconds> running_for();

 private:
  struct Job {
    std::function<bool()> wanted;
    std::function<void()> run;
  };
  void Work();

  const size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::optional<std::chrono::steady_clock::time_point> began_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_JOB_QUEUE_H_
