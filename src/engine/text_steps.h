// Steps of texts: rows of several requests through the model, and a token for each that wants one.
#ifndef BAGEL_ENGINE_TEXT_STEPS_H_
#define BAGEL_ENGINE_TEXT_STEPS_H_

#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "engine/session.h"
#include "model/bagel.h"

namespace bagel {

class TextSteps {
 public:
  // `tokens` is how many ids the tokenizer has; those past them are never chosen. Tokens are chosen
  // on the threads of `helpers` where `helpers_mutex` is free.
  TextSteps(Bagel& model, KvPool& pool, int64_t tokens, ThreadPool& helpers,
            std::mutex& helpers_mutex);

  // Runs the next rows of `chosen` together; an error ends the requests that it concerns. `stop` as
  // in Bagel::Run: a stopped step leaves them as they were.
  void Run(const std::vector<Session*>& chosen, const std::function<bool()>& stop);

 private:
  // The next tokens of the sessions `wanting`: by the `best` of their logits where the device tells
  // those and they decide, else by all. Returns an error for each of `chosen` that failed.
  std::vector<std::exception_ptr> Choose(const std::vector<Session*>& chosen,
                                         const std::vector<size_t>& wanting,
                                         std::span<const BestValues> best);

  Bagel& model_;
  KvPool& pool_;
  const size_t tokens_;
  ThreadPool& helpers_;
  std::mutex& helpers_mutex_;
};

}  // namespace bagel

#endif  // BAGEL_ENGINE_TEXT_STEPS_H_
