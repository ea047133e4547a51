// What a watched camera has to tell: one line for each turn of an event.
#ifndef BAGEL_VISION_WATCH_EVENT_H_
#define BAGEL_VISION_WATCH_EVENT_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "vision/motion.h"

namespace bagel::vision {

// The version of the lines; share/sophia/event.schema.json describes them.
inline constexpr const char* kWatchSchema = "sophia.event/1";

struct WatchEvent {
  enum class Kind : uint8_t {
    kMotion,       // something begins to move
    kSnapshot,     // its best frame is chosen
    kDescription,  // that frame in words
    kFailed,       // there will be no words: no server answered in time, or it refused
    kDropped,      // there will be no words: newer events needed the place in the queue
    kEnd,          // nothing moves any more
    kCameraState,  // the camera's state has changed; belongs to no event
  };
  Kind kind = Kind::kMotion;
  std::string id;  // of the event; the same in all its lines
  std::string camera;
  std::chrono::system_clock::time_point at;          // of this line
  std::chrono::system_clock::time_point started_at;  // of the event
  Motion motion;                                     // of the first or, later, the best frame
  std::shared_ptr<const std::string> jpeg;           // the best frame as a file
  std::string snapshot;                              // where that is stored; may be empty
  std::string text;                                  // kDescription
  std::string model;                                 // kDescription
  std::string state;                                 // kCameraState: as StateName gives it
  std::string detail;                                // a sentence for people
};

// "motion", "snapshot", "description", "failed", "dropped", "end", "camera_state".
const char* KindName(WatchEvent::Kind kind);

// One JSON object in ASCII without line ends and without the picture.
std::string ToJson(const WatchEvent& event);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_WATCH_EVENT_H_
