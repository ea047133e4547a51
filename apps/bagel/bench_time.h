// Times as the benchmarks take them.
#ifndef BAGEL_APPS_BAGEL_BENCH_TIME_H_
#define BAGEL_APPS_BAGEL_BENCH_TIME_H_

#include <algorithm>
#include <chrono>
#include <vector>

namespace bagel {

// Milliseconds that `body` takes.
template <typename Body>
double Time(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

// Of at least one value.
inline double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_BENCH_TIME_H_
