// Says on stderr that something takes long: a running clock on a terminal, plain lines elsewhere.
#ifndef BAGEL_APPS_COMMON_PROGRESS_H_
#define BAGEL_APPS_COMMON_PROGRESS_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace bagel {

class Progress {
 public:
  // Stays silent for the first two seconds.
  explicit Progress(std::string what);
  ~Progress();  // clears the clock
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void Loop();

  const std::string what_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;
};

// A bar with the time left on a terminal, a line now and then elsewhere; silent for two seconds.
class ProgressBar {
 public:
  ProgressBar(std::string what, uint64_t total);
  ~ProgressBar();  // clears the bar
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // `detail` stands behind the share: "step 3 of 49".
  void Set(uint64_t done, const std::string& detail = "");

 private:
  const std::string what_;
  const uint64_t total_;
  const std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point next_;
  bool shown_ = false;
};

}  // namespace bagel

#endif  // BAGEL_APPS_COMMON_PROGRESS_H_
