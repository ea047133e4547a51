// How long something took, for reports.
#ifndef BAGEL_VISION_STOPWATCH_H_
#define BAGEL_VISION_STOPWATCH_H_

#include <chrono>

namespace bagel::vision {

inline double MillisecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

}  // namespace bagel::vision

#endif  // BAGEL_VISION_STOPWATCH_H_
