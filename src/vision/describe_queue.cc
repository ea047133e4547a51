#include "vision/describe_queue.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace bagel::vision {

DescribeQueue::DescribeQueue(Describe describe, Done done, const DescribeOptions& options)
    : describe_(std::move(describe)),
      done_(std::move(done)),
      options_(options),
      thread_([this] { Work(); }) {}

DescribeQueue::~DescribeQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void DescribeQueue::Add(WatchEvent event, const cv::Mat& bgr) {
  std::deque<Job> dropped;
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(event), bgr, std::chrono::steady_clock::now()});
    while (jobs_.size() > options_.size) {
      dropped.push_back(std::move(jobs_.front()));
      jobs_.pop_front();
    }
  }
  changed_.notify_all();
  for (Job& job : dropped) {
    job.event.kind = WatchEvent::Kind::kDropped;
    job.event.detail =
        "The server is too slow for so many events: " + std::to_string(options_.size) +
        " newer ones wait.";
    done_(std::move(job.event));
  }
}

size_t DescribeQueue::waiting() {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

bool DescribeQueue::Try(Job& job) {
  const auto stop = [this] { return stopping_.load(); };
  try {
    const ModelAnswer answer = describe_(job.event, job.bgr, stop);
    job.event.kind = WatchEvent::Kind::kDescription;
    job.event.text = answer.text;
    job.event.model = answer.model;
  } catch (const Error& error) {
    const auto age = std::chrono::steady_clock::now() - job.added;
    if (error.kind() == ErrorKind::kUnavailable && age < options_.give_up && !stopping_) {
      return false;
    }
    job.event.kind = WatchEvent::Kind::kFailed;
    job.event.detail = error.what();
  } catch (const std::exception& error) {
    job.event.kind = WatchEvent::Kind::kFailed;
    job.event.detail = error.what();
  }
  return true;
}

void DescribeQueue::Work() {
  std::chrono::milliseconds delay = options_.first_retry;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) {
      return;
    }
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    const bool finished = Try(job);
    if (finished) {
      const bool answered = job.event.kind == WatchEvent::Kind::kDescription;
      done_(std::move(job.event));
      delay = answered ? options_.first_retry : delay;
      lock.lock();
      continue;
    }
    lock.lock();
    // Newer ones may have filled the queue meanwhile: then this is the oldest.
    const bool full = jobs_.size() >= options_.size;
    if (full) {
      job.event.kind = WatchEvent::Kind::kDropped;
      job.event.detail = "No server answered before newer events filled the queue.";
      lock.unlock();
      done_(std::move(job.event));
      lock.lock();
    } else {
      jobs_.push_front(std::move(job));
    }
    changed_.wait_for(lock, delay, [this] { return stopping_.load(); });
    delay = std::min(delay * 2, options_.last_retry);
  }
}

}  // namespace bagel::vision
