// The file that says what `sophia watch` watches.
#ifndef BAGEL_VISION_WATCH_CONFIG_H_
#define BAGEL_VISION_WATCH_CONFIG_H_

#include <string>
#include <vector>

#include "vision/watch.h"

namespace bagel::vision {

// Reads {"cameras": [{"name", "source", "prompt", "min_area", "quiet_s", "min_interval_s",
// "max_per_hour", "zones": [{"name", "points": [[x, y], ...]}]}]}; only `source` must be there, the
// rest comes from `defaults`. Throws kInvalidArgument for an unknown key or a wrong value, and as
// ReadJsonFile does.
std::vector<WatchedCamera> ReadWatchConfig(const std::string& path, const WatchedCamera& defaults);

// "NAME=SOURCE", where NAME has only letters, digits, '-' and '_', or "SOURCE", which is called
// "camera" and its number.
WatchedCamera ParseCameraOption(const std::string& text, const WatchedCamera& defaults,
                                size_t number);

// Throws kInvalidArgument if there are no cameras, too many, or two of one name.
void CheckCameras(const std::vector<WatchedCamera>& cameras);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_WATCH_CONFIG_H_
