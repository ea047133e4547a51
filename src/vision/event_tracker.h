// From "this frame moves" to events with a begin, a best frame and an end.
#ifndef BAGEL_VISION_EVENT_TRACKER_H_
#define BAGEL_VISION_EVENT_TRACKER_H_

#include <chrono>
#include <cstdint>
#include <deque>

#include "vision/frame.h"
#include "vision/motion.h"

namespace bagel::vision {

struct EventOptions {
  std::chrono::milliseconds choose{1'500};     // from the begin, to choose the best frame
  std::chrono::milliseconds quiet{5'000};      // without motion until an event ends
  std::chrono::milliseconds longest{120'000};  // of an event; then it ends and another may begin
  std::chrono::milliseconds min_interval{10'000};  // from the begin of one event to the next
  int max_per_hour = 60;
};

// One camera's events. Not thread-safe.
class EventTracker {
 public:
  explicit EventTracker(const EventOptions& options = {}) : options_(options) {}

  struct Step {
    bool began = false;
    bool chosen = false;  // best() is final
    bool ended = false;
    bool limited = false;  // an event would have begun, but there were too many; said once for each
  };
  // Takes the next frame. An event begins with the second moving frame in a row.
  Step Add(const Motion& motion, const Frame& frame);

  // The camera is gone: ends what goes on (chosen too if the best frame was still open).
  Step Interrupt();

  // Of the event that goes on or has just ended: where most moves, the whole thing rather than the
  // foot that comes first.
  const Frame& best() const { return best_; }
  const Motion& best_motion() const { return best_motion_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  enum class Phase : uint8_t { kIdle, kChoosing, kChosen };
  bool MayBegin(Time now);

  const EventOptions options_;
  Phase phase_ = Phase::kIdle;
  int moving_frames_ = 0;  // in a row
  bool said_limited_ = false;
  Time began_, last_motion_;
  std::deque<Time> begins_;  // of the last hour
  Frame best_;
  Motion best_motion_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_EVENT_TRACKER_H_
