#include "vision/outputs.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "vision/http_client.h"
#include "vision/words.h"

namespace bagel::vision {
namespace {

// How often a reader that does not read lets a writer see whether it is to stop.
constexpr int kSliceMs = 100;

class JsonLines : public EventOutput {
 public:
  explicit JsonLines(const std::string& path)
      : path_(path),
        file_(path == "-" ? STDOUT_FILENO
                          : ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666)) {
    if (file_ < 0) {
      throw Error(ErrorKind::kUnavailable, path + ": " + std::strerror(errno));
    }
  }
  ~JsonLines() override {
    if (file_ != STDOUT_FILENO) {
      ::close(file_);
    }
  }
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;

  void Write(const WatchEvent& event, const std::function<bool()>& stop) override {
    // A line that could not be written whole is ended first.
    const std::string line = (torn_ ? "\n" : "") + ToJson(event) + "\n";
    for (size_t done = 0; done < line.size();) {
      WaitForReader(stop);
      // What poll promises room for: a write of more would wait inside the kernel.
      const ssize_t count =
          ::write(file_, line.data() + done, std::min<size_t>(line.size() - done, PIPE_BUF));
      if (count < 0 && errno != EINTR && errno != EAGAIN) {
        throw Error(ErrorKind::kInternal, Name() + ": " + std::strerror(errno));
      }
      done += count > 0 ? static_cast<size_t>(count) : 0;
      torn_ = done > 0 && done < line.size();
    }
  }
  std::string Name() const override { return path_ == "-" ? "standard output" : path_; }

 private:
  void WaitForReader(const std::function<bool()>& stop) const {
    pollfd room{file_, POLLOUT, 0};
    while (::poll(&room, 1, kSliceMs) <= 0) {
      if (stop()) {
        throw Error(ErrorKind::kCancelled, Name() + " is not read");
      }
    }
  }

  const std::string path_;
  const int file_;
  bool torn_ = false;
};

class Webhook : public EventOutput {
 public:
  explicit Webhook(const std::string& url) : url_(url) { CheckedServerUrl(url); }

  void Write(const WatchEvent& event, const std::function<bool()>& stop) override {
    HttpCall call;
    call.method = "POST";
    call.url = url_;
    call.body = ToJson(event);
    call.limits.first_byte = call.limits.total = std::chrono::seconds(10);
    call.limits.answer_bytes = size_t{64} << 10;
    const int status = Send(call, nullptr, stop).status;
    if (status < 200 || status > 299) {
      const bool later = status == 429 || status >= 500;
      throw Error(later ? ErrorKind::kUnavailable : ErrorKind::kInvalidArgument,
                  Name() + " answers with status " + std::to_string(status));
    }
  }
  std::string Name() const override { return ShownUrl(url_); }

 private:
  const std::string url_;
};

}  // namespace

std::unique_ptr<EventOutput> MakeJsonLines(const std::string& path) {
  return std::make_unique<JsonLines>(path);
}

std::unique_ptr<EventOutput> MakeWebhook(const std::string& url) {
  return std::make_unique<Webhook>(url);
}

OutputQueue::OutputQueue(std::unique_ptr<EventOutput> output, const OutputOptions& options)
    : output_(std::move(output)), options_(options), thread_([this] { Work(); }) {}

OutputQueue::~OutputQueue() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  changed_.wait_for(lock, std::chrono::seconds(1), [this] { return events_.empty() && idle_; });
  hurry_ = true;
  events_.clear();
  lock.unlock();
  changed_.notify_all();
  thread_.join();
}

void OutputQueue::Add(const WatchEvent& event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(event);
  if (events_.size() > options_.size) {
    events_.pop_front();
    if (dropped_++ == 0) {
      spdlog::warn("{} is too slow: events are dropped", output_->Name());
    }
  }
  changed_.notify_all();
}

void OutputQueue::SayFails(const std::string& why) {
  if (!failing_) {
    spdlog::warn("{}; this is not said again until it works", WithoutControlBytes(why, false));
  }
  failing_ = true;
}

void OutputQueue::SayWorks() {
  if (failing_) {
    spdlog::info("{} works again; {} events are lost so far", output_->Name(), dropped_.load());
  }
  failing_ = false;
}

void OutputQueue::WriteWithRetries(const WatchEvent& event) {
  std::chrono::milliseconds delay = options_.first_retry;
  for (int attempt = 1; !hurry_; ++attempt) {
    try {
      output_->Write(event, [this] { return hurry_.load(); });
      SayWorks();
      return;
    } catch (const Error& error) {
      const bool last = options_.tries != 0 && attempt >= options_.tries;
      if (error.kind() != ErrorKind::kUnavailable || last) {
        ++dropped_;
        SayFails(error.what());
        return;
      }
      SayFails(error.what());
    }
    std::unique_lock lock(mutex_);
    // A full queue means that this one would have been dropped as the oldest.
    if (options_.tries == 0 && events_.size() >= options_.size) {
      ++dropped_;
      return;
    }
    changed_.wait_for(lock, delay, [this] { return hurry_.load(); });
    delay = std::min(delay * 2, options_.last_retry);
  }
}

void OutputQueue::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    idle_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return stopping_ || !events_.empty(); });
    if (events_.empty()) {
      return;
    }
    const WatchEvent event = std::move(events_.front());
    events_.pop_front();
    idle_ = false;
    lock.unlock();
    WriteWithRetries(event);
    lock.lock();
  }
}

}  // namespace bagel::vision
