#include "progress.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

namespace bagel {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSilence{2'000};
constexpr milliseconds kTerminalStep{200};
constexpr milliseconds kPlainStep{10'000};

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
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const auto begin = std::chrono::steady_clock::now();
  const char* const clear = "\r\x1b[K";
  std::unique_lock lock(mutex_);
  bool shown = false;
  milliseconds wait = kSilence;
  while (!changed_.wait_for(lock, wait, [this] { return done_; })) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    std::fprintf(stderr, terminal ? "%s%s ... %.1f s" : "%s%s ... %.0f s\n", terminal ? clear : "",
                 what_.c_str(), elapsed.count());
    std::fflush(stderr);
    shown = true;
    wait = terminal ? kTerminalStep : kPlainStep;
  }
  if (shown && terminal) {
    std::fputs(clear, stderr);
    std::fflush(stderr);
  }
}

}  // namespace bagel
