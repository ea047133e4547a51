#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace bagel {
namespace {

TEST(ThreadPoolTest, EveryTaskRunsOnce) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int64_t tasks : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> hits(static_cast<size_t>(tasks));
      pool.ParallelFor(tasks, [&](int64_t task, int thread) {
        EXPECT_LT(thread, threads);
        ++hits[static_cast<size_t>(task)];
      });
      for (const auto& hit : hits) EXPECT_EQ(hit, 1);
    }
  }
}

TEST(ThreadPoolTest, ManyShortLoops) {
  ThreadPool pool(4);
  std::atomic<int64_t> sum{0};
  for (int i = 0; i < 5000; ++i) pool.ParallelFor(4, [&](int64_t task, int) { sum += task; });
  EXPECT_EQ(sum, 5000 * 6);
}

TEST(ThreadPoolTest, ExceptionsReachTheCallerAndThePoolGoesOn) {
  ThreadPool pool(3);
  const auto fails = [](int64_t task, int) {
    if (task == 5) throw std::runtime_error("task 5");
  };
  EXPECT_THROW(pool.ParallelFor(100, fails), std::runtime_error);
  std::atomic<int> count{0};
  pool.ParallelFor(100, [&](int64_t, int) { ++count; });
  EXPECT_EQ(count, 100);
}

}  // namespace
}  // namespace bagel
