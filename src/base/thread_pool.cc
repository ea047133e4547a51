#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <exception>

#include "base/error.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bagel {
namespace {

// A step is a few hundred short loops in a row, so a worker spins for the next one for about 50 us
// before it sleeps: waking a sleeping thread costs as much as a whole loop of a small model.
constexpr int kSpins = 2000;

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

}  // namespace

int ThreadPool::DefaultThreads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

ThreadPool::ThreadPool(int threads) {
  CHECK(threads >= 0);
  if (threads == 0) threads = DefaultThreads();
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { WorkerLoop(i); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    ++generation_;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::RunTasks(int thread) {
  for (;;) {
    const int64_t task = next_task_.fetch_add(1, std::memory_order_relaxed);
    if (task >= tasks_) return;
    try {
      (*body_)(task, thread);
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      next_task_ = tasks_;
    }
  }
}

void ThreadPool::WorkerLoop(int thread) {
  uint64_t seen = 0;
  for (;;) {
    for (int spin = 0; spin < kSpins && generation_.load(std::memory_order_acquire) == seen; ++spin)
      Pause();
    if (generation_.load(std::memory_order_acquire) == seen) {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return generation_ != seen; });
    }
    if (stop_) return;
    ++seen;
    RunTasks(thread);
    if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      std::lock_guard lock(mutex_);
      done_.notify_one();
    }
  }
}

void ThreadPool::ParallelFor(int64_t tasks, const std::function<void(int64_t, int)>& body) {
  if (tasks <= 0) return;
  if (workers_.empty() || tasks == 1) {
    for (int64_t task = 0; task < tasks; ++task) body(task, 0);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    tasks_ = tasks;
    body_ = &body;
    error_ = nullptr;
    next_task_ = 0;
    running_ = static_cast<int>(workers_.size());
    ++generation_;
  }
  start_.notify_all();
  RunTasks(0);
  for (int spin = 0; spin < kSpins && running_.load(std::memory_order_acquire) != 0; ++spin)
    Pause();
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return running_ == 0; });
  if (error_) std::rethrow_exception(error_);
}

void ParallelFor(ThreadPool* pool, int64_t tasks, const std::function<void(int64_t)>& body) {
  if (pool) return pool->ParallelFor(tasks, [&](int64_t task, int) { body(task); });
  for (int64_t task = 0; task < tasks; ++task) body(task);
}

}  // namespace bagel
