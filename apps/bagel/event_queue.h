// A request's events, from the engine's thread to the program's.
#ifndef BAGEL_APPS_BAGEL_EVENT_QUEUE_H_
#define BAGEL_APPS_BAGEL_EVENT_QUEUE_H_

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace bagel {

template <typename T>
class EventQueue {
 public:
  void Push(T event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_one();
  }

  // The next event; nothing if none came within 50 ms.
  std::optional<T> Pop() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(50), [this] { return !events_.empty(); });
    if (events_.empty()) {
      return std::nullopt;
    }
    T event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> events_;
};

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_EVENT_QUEUE_H_
