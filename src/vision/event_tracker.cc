#include "vision/event_tracker.h"

namespace bagel::vision {

bool EventTracker::MayBegin(Time now) {
  while (!begins_.empty() && now - begins_.front() >= std::chrono::hours(1)) {
    begins_.pop_front();
  }
  const bool soon = !begins_.empty() && now - begins_.back() < options_.min_interval;
  return !soon && begins_.size() < static_cast<size_t>(options_.max_per_hour);
}

EventTracker::Step EventTracker::Add(const Motion& motion, const Frame& frame) {
  Step step;
  const Time now = frame.received;
  moving_frames_ = motion.moving ? moving_frames_ + 1 : 0;
  if (motion.moving) {
    last_motion_ = now;
  }
  if (phase_ == Phase::kIdle) {
    if (moving_frames_ < 2) {
      said_limited_ = said_limited_ && motion.moving;
      return step;
    }
    if (!MayBegin(now)) {
      step.limited = !said_limited_;
      said_limited_ = true;
      return step;
    }
    said_limited_ = false;
    begins_.push_back(now);
    began_ = now;
    phase_ = Phase::kChoosing;
    best_motion_ = {};
    step.began = true;
  }
  if (phase_ == Phase::kChoosing) {
    if (motion.moving && motion.area > best_motion_.area) {
      best_motion_ = motion;
      best_ = frame;
    }
    if (now - began_ >= options_.choose) {
      phase_ = Phase::kChosen;
      step.chosen = true;
    }
  }
  if (now - last_motion_ >= options_.quiet || now - began_ >= options_.longest) {
    step.chosen = step.chosen || phase_ == Phase::kChoosing;
    step.ended = true;
    phase_ = Phase::kIdle;
  }
  return step;
}

EventTracker::Step EventTracker::Interrupt() {
  Step step;
  step.chosen = phase_ == Phase::kChoosing;
  step.ended = phase_ != Phase::kIdle;
  phase_ = Phase::kIdle;
  moving_frames_ = 0;
  return step;
}

}  // namespace bagel::vision
