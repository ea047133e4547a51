// From the worker to those who asked.
#ifndef BAGEL_ENGINE_DELIVER_H_
#define BAGEL_ENGINE_DELIVER_H_

#include <utility>

#include "engine/engine.h"

namespace bagel {

// Hands `event` to a request's handler. One that throws gives its request up.
template <class Event, class Handler>
void Deliver(Event&& event, const Handler& handler, Job& job) {
  try {
    handler(std::forward<Event>(event));
  } catch (...) {
    job.Cancel();
  }
}

}  // namespace bagel

#endif  // BAGEL_ENGINE_DELIVER_H_
