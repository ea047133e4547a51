#include "vision/watch_event.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "vision/json_line.h"
#include "vision/report.h"

namespace bagel::vision {

const char* KindName(WatchEvent::Kind kind) {
  switch (kind) {
    case WatchEvent::Kind::kMotion:
      return "motion";
    case WatchEvent::Kind::kSnapshot:
      return "snapshot";
    case WatchEvent::Kind::kDescription:
      return "description";
    case WatchEvent::Kind::kFailed:
      return "failed";
    case WatchEvent::Kind::kDropped:
      return "dropped";
    case WatchEvent::Kind::kEnd:
      return "end";
    case WatchEvent::Kind::kCameraState:
      return "camera_state";
  }
  return "";
}

std::string ToJson(const WatchEvent& event) {
  using nlohmann::ordered_json;
  const auto rounded = [](double value) { return std::round(value * 10000) / 10000; };
  ordered_json json = {{"schema", kWatchSchema},
                       {"event", KindName(event.kind)},
                       {"camera", event.camera},
                       {"at", IsoTime(event.at)}};
  if (event.kind == WatchEvent::Kind::kCameraState) {
    json["state"] = event.state;
  } else {
    json["id"] = event.id;
    json["started_at"] = IsoTime(event.started_at);
    json["area"] = rounded(event.motion.area);
    json["box"] = {{"x", rounded(event.motion.box.x)},
                   {"y", rounded(event.motion.box.y)},
                   {"width", rounded(event.motion.box.width)},
                   {"height", rounded(event.motion.box.height)}};
    json["zones"] = event.motion.zones;
  }
  const auto add = [&json](const char* key, const std::string& value) {
    if (!value.empty()) {
      json[key] = value;
    }
  };
  add("snapshot", event.snapshot);
  add("text", event.text);
  add("model", event.model);
  add("detail", event.detail);
  return JsonLine(json);
}

}  // namespace bagel::vision
