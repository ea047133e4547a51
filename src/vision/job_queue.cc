#include "vision/job_queue.h"

#include <utility>

namespace bagel::vision {

JobQueue::JobQueue(size_t max_waiting) : max_waiting_(max_waiting), thread_([this] { Work(); }) {}

JobQueue::~JobQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool JobQueue::Add(std::function<bool()> wanted, std::function<void()> run) {
  const std::lock_guard lock(mutex_);
  std::erase_if(jobs_, [](const Job& job) { return !job.wanted(); });
  // A job that nothing runs before does not wait.
  const size_t places = max_waiting_ + (began_ ? 0 : 1);
  if (stopping_ || jobs_.size() >= places) {
    return false;
  }
  jobs_.push_back({std::move(wanted), std::move(run)});
  changed_.notify_all();
  return true;
}

size_t JobQueue::waiting() {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

std::optional<std::chrono::milliseconds> JobQueue::running_for() {
  const std::lock_guard lock(mutex_);
  if (!began_) {
    return std::nullopt;
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               *began_);
}

void JobQueue::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) {
      return;
    }
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    if (!job.wanted()) {
      continue;
    }
    began_ = std::chrono::steady_clock::now();
    lock.unlock();
    job.run();
    job = {};
    lock.lock();
    began_.reset();
  }
}

}  // namespace bagel::vision
