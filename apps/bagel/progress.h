// Says on stderr that something takes long: a running clock on a terminal, plain lines elsewhere.
#ifndef BAGEL_APPS_BAGEL_PROGRESS_H_
#define BAGEL_APPS_BAGEL_PROGRESS_H_

#include <condition_variable>
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

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_PROGRESS_H_
