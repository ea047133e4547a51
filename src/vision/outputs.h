// Where events go: each place has a thread of its own, so that a slow one holds up nobody.
#ifndef BAGEL_VISION_OUTPUTS_H_
#define BAGEL_VISION_OUTPUTS_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "vision/watch_event.h"

namespace bagel::vision {

// One place. Write is called by one thread at a time.
class EventOutput {
 public:
  virtual ~EventOutput() = default;

  // Throws Error; after kUnavailable the same event may be written again. May take seconds, but
  // ends soon once `stop` is true.
  virtual void Write(const WatchEvent& event, const std::function<bool()>& stop) = 0;
  virtual std::string Name() const = 0;  // as it may be logged
};

// JSON lines appended to a file, "-" for the standard output. Throws kUnavailable if the file
// cannot be opened.
std::unique_ptr<EventOutput> MakeJsonLines(const std::string& path);

// POSTs each event as JSON. A status of 2xx is success, 429 and 5xx may be tried again, others not.
std::unique_ptr<EventOutput> MakeWebhook(const std::string& url);

struct OutputOptions {
  size_t size = 100;  // events that may wait; beyond that the oldest is dropped
  int tries = 4;      // for each event; 0 = until it is dropped
  std::chrono::milliseconds first_retry{500};  // doubles up to last_retry
  std::chrono::milliseconds last_retry{10'000};
};

class OutputQueue {
 public:
  OutputQueue(std::unique_ptr<EventOutput> output, const OutputOptions& options);
  ~OutputQueue();  // writes what waits, for a second at most
  OutputQueue(const OutputQueue&) = delete;
  OutputQueue& operator=(const OutputQueue&) = delete;

  void Add(const WatchEvent& event);  // never waits
  uint64_t dropped() const { return dropped_; }
  std::string Name() const { return output_->Name(); }

 private:
  void Work();
  void WriteWithRetries(const WatchEvent& event);
  void SayFails(const std::string& why);
  void SayWorks();

  const std::unique_ptr<EventOutput> output_;
  const OutputOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<WatchEvent> events_;
  std::atomic<uint64_t> dropped_{0};
  std::atomic<bool> hurry_{false};
  bool stopping_ = false;
  bool idle_ = true;
  bool failing_ = false;  // as was said; the thread's own
  std::thread thread_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_OUTPUTS_H_
