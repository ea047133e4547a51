#include "progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

namespace bagel {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSilence{2'000};
constexpr milliseconds kTerminalStep{200};
constexpr milliseconds kPlainStep{10'000};
constexpr const char* kClear = "\r\x1b[K";

bool OnTerminal() { return ::isatty(STDERR_FILENO) != 0; }

}  // namespace

Progress::Progress(std::string what) : what_(std::move(what)), thread_([this] { Loop(); }) {}

Progress::~Progress() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Progress::Loop() {
  const bool terminal = OnTerminal();
  const auto begin = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  bool shown = false;
  milliseconds wait = kSilence;
  while (!changed_.wait_for(lock, wait, [this] { return done_; })) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    std::fprintf(stderr, terminal ? "%s%s ... %.1f s" : "%s%s ... %.0f s\n", terminal ? kClear : "",
                 what_.c_str(), elapsed.count());
    std::fflush(stderr);
    shown = true;
    wait = terminal ? kTerminalStep : kPlainStep;
  }
  if (shown && terminal) {
    std::fputs(kClear, stderr);
    std::fflush(stderr);
  }
}

ProgressBar::ProgressBar(std::string what, uint64_t total)
    : what_(std::move(what)),
      total_(std::max<uint64_t>(1, total)),
      begin_(std::chrono::steady_clock::now()),
      next_(begin_ + kSilence) {}

ProgressBar::~ProgressBar() {
  if (shown_ && OnTerminal()) std::fputs(kClear, stderr);
}

void ProgressBar::Set(uint64_t done, const std::string& detail) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  const bool terminal = OnTerminal();
  next_ = now + (terminal ? kTerminalStep : kPlainStep);
  shown_ = true;
  const double share = static_cast<double>(done) / static_cast<double>(total_);
  const double elapsed = std::chrono::duration<double>(now - begin_).count();
  const double left = share > 0 ? elapsed / share - elapsed : 0;
  const std::string text = detail.empty() ? "" : ", " + detail;
  if (terminal) {
    constexpr int kWidth = 30;
    const int filled = static_cast<int>(share * kWidth);
    std::fprintf(stderr, "%s%s [%s%s] %3.0f %%%s, %.0f s left", kClear, what_.c_str(),
                 std::string(static_cast<size_t>(filled), '=').c_str(),
                 std::string(static_cast<size_t>(kWidth - filled), ' ').c_str(), 100 * share,
                 text.c_str(), left);
  } else {
    std::fprintf(stderr, "%s: %.0f %%%s, %.0f s left\n", what_.c_str(), 100 * share, text.c_str(),
                 left);
  }
  std::fflush(stderr);
}

}  // namespace bagel
