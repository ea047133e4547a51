#include "vision/outputs.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "vision/http_client.h"
#include "vision/words.h"

namespace bagel::vision {
namespace {

class JsonLines : public EventOutput {
 public:
  explicit JsonLines(const std::string& path)
      : path_(path), file_(path == "-" ? stdout : std::fopen(path.c_str(), "ae")) {
    if (file_ == nullptr) {
      throw Error(ErrorKind::kUnavailable, path + ": " + std::strerror(errno));
    }
  }
  ~JsonLines() override {
    if (file_ != stdout) {
      std::fclose(file_);
    }
  }
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;

  void Write(const WatchEvent& event, const std::function<bool()>&) override {
    const std::string line = ToJson(event) + "\n";
    const bool written =
        std::fwrite(line.data(), 1, line.size(), file_) == line.size() && std::fflush(file_) == 0;
    if (!written) {
      std::clearerr(file_);
      throw Error(ErrorKind::kInternal, path_ + ": " + std::strerror(errno));
    }
  }
  std::string Name() const override { return path_ == "-" ? "standard output" : path_; }

 private:
  const std::string path_;
  std::FILE* const file_;
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

void OutputQueue::WriteWithRetries(const WatchEvent& event) {
  std::chrono::milliseconds delay = options_.first_retry;
  for (int attempt = 1; !hurry_; ++attempt) {
    try {
      output_->Write(event, [this] { return hurry_.load(); });
      return;
    } catch (const Error& error) {
      const bool last = options_.tries != 0 && attempt >= options_.tries;
      if (error.kind() != ErrorKind::kUnavailable || last) {
        ++dropped_;
        spdlog::warn("an event is lost: {}", WithoutControlBytes(error.what(), false));
        return;
      }
      if (attempt == 1) {
        spdlog::warn("{}; it is tried again", WithoutControlBytes(error.what(), false));
      }
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
