// A fixed set of threads for data-parallel loops.
#ifndef BAGEL_BASE_THREAD_POOL_H_
#define BAGEL_BASE_THREAD_POOL_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace bagel {

// The caller takes part as thread 0. One loop runs at a time; calls from several threads are not
// allowed at once (the engine has one worker), and calls do not nest.
class ThreadPool {
 public:
  // `threads` >= 1 counts the caller. 0 means DefaultThreads().
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(task, thread) once for every task in [0, tasks), tasks taken in order by whichever
  // thread is free, and returns when all are done. If bodies throw, the first exception is rethrown
  // here after the loop has ended.
  void ParallelFor(int64_t tasks, const std::function<void(int64_t task, int thread)>& body);

  // The processors this process may run on (its affinity mask, so container limits count).
  static int DefaultThreads();

 private:
  void WorkerLoop(int thread);
  void RunTasks(int thread);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int64_t> next_task_{0};
  std::atomic<int> running_{0};
  int64_t tasks_ = 0;
  const std::function<void(int64_t, int)>* body_ = nullptr;
  std::exception_ptr error_;
  std::atomic<bool> stop_{false};
};

// The same loop on `pool`, or on the caller alone where that is null.
void ParallelFor(ThreadPool* pool, int64_t tasks, const std::function<void(int64_t task)>& body);

}  // namespace bagel

#endif  // BAGEL_BASE_THREAD_POOL_H_
