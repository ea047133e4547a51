#include "vision/watch_config.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/error.h"
#include "formats/json.h"

namespace bagel::vision {
namespace {

constexpr size_t kMostCameras = 64;
constexpr size_t kMostZones = 32;
constexpr size_t kMostPoints = 256;
constexpr size_t kLongestName = 40;
constexpr size_t kLongestPrompt = 4000;

bool IsName(const std::string& name) {
  const auto allowed = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  return !name.empty() && name.size() <= kLongestName &&
         std::all_of(name.begin(), name.end(), allowed);
}

void CheckName(const std::string& name) {
  if (!IsName(name)) {
    throw Error(ErrorKind::kInvalidArgument,
                "a camera's name has 1 to 40 letters, digits, '-' and '_', unlike \"" +
                    name.substr(0, 80) + "\"");
  }
}

[[noreturn]] void Fail(const std::string& where, const std::string& what) {
  throw Error(ErrorKind::kInvalidArgument, where + ": " + what);
}

template <size_t N>
void CheckKeys(const JsonObject& object, const std::array<const char*, N>& known) {
  for (const auto& [key, value] : object.json().items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      Fail(object.where(), "unknown key \"" + key.substr(0, 80) + "\"");
    }
  }
}

// The list under `key`, empty if it is not there.
const Json& ListOf(const JsonObject& object, const char* key, size_t most) {
  static const Json none = Json::array();
  if (!object.Has(key)) {
    return none;
  }
  const Json& list = object.json().at(key);
  if (!list.is_array() || list.size() > most) {
    Fail(object.where(), std::string(key) + " must be a list of at most " + std::to_string(most));
  }
  return list;
}

cv::Point2f ParsePoint(const Json& json, const std::string& where) {
  const auto in_range = [](const Json& value) {
    return value.is_number() && value.get<double>() >= 0 && value.get<double>() <= 1;
  };
  if (!json.is_array() || json.size() != 2 || !in_range(json[0]) || !in_range(json[1])) {
    Fail(where, "a point must be [x, y] with both from 0 to 1");
  }
  return {json[0].get<float>(), json[1].get<float>()};
}

Zone ParseZone(const JsonObject& object) {
  CheckKeys(object, std::array{"name", "points"});
  Zone zone{object.String("name"), {}};
  for (const Json& point : ListOf(object, "points", kMostPoints)) {
    zone.points.push_back(ParsePoint(point, object.where()));
  }
  if (zone.points.size() < 3) {
    Fail(object.where(), "a zone needs at least three points");
  }
  return zone;
}

std::chrono::milliseconds SecondsOf(const JsonObject& object, const char* key, double min,
                                    std::chrono::milliseconds fallback) {
  const double seconds =
      object.Double(key, min, 86'400, static_cast<double>(fallback.count()) / 1000);
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

WatchedCamera ParseCamera(const JsonObject& object, const WatchedCamera& defaults, size_t number) {
  CheckKeys(object, std::array{"name", "source", "prompt", "min_area", "quiet_s", "min_interval_s",
                               "max_per_hour", "zones"});
  WatchedCamera camera = defaults;
  camera.name = object.String("name", "camera" + std::to_string(number));
  CheckName(camera.name);
  camera.source = object.String("source");
  camera.prompt = object.String("prompt", defaults.prompt);
  if (camera.prompt.size() > kLongestPrompt) {
    Fail(object.where(), "prompt has more than 4000 bytes");
  }
  camera.motion.min_area = object.Double("min_area", 0, 1, defaults.motion.min_area);
  camera.events.quiet = SecondsOf(object, "quiet_s", 0.1, defaults.events.quiet);
  camera.events.min_interval = SecondsOf(object, "min_interval_s", 0, defaults.events.min_interval);
  camera.events.max_per_hour =
      static_cast<int>(object.Int("max_per_hour", 1, 100'000, defaults.events.max_per_hour));
  size_t index = 0;
  for (const Json& zone : ListOf(object, "zones", kMostZones)) {
    const std::string where = object.where() + ": zone " + std::to_string(++index);
    camera.zones.push_back(ParseZone(JsonObject(zone, where)));
  }
  return camera;
}

}  // namespace

std::vector<WatchedCamera> ReadWatchConfig(const std::string& path, const WatchedCamera& defaults) {
  const Json json = ReadJsonFile(path, {.max_bytes = size_t{1} << 20, .max_depth = 16});
  const JsonObject object(json, path);
  CheckKeys(object, std::array{"cameras"});
  std::vector<WatchedCamera> cameras;
  for (const Json& camera : ListOf(object, "cameras", kMostCameras)) {
    const size_t number = cameras.size() + 1;
    const std::string where = path + ": camera " + std::to_string(number);
    cameras.push_back(ParseCamera(JsonObject(camera, where), defaults, number));
  }
  return cameras;
}

WatchedCamera ParseCameraOption(const std::string& text, const WatchedCamera& defaults,
                                size_t number) {
  WatchedCamera camera = defaults;
  const size_t equals = text.find('=');
  const bool named = equals != std::string::npos && IsName(text.substr(0, equals));
  camera.name = named ? text.substr(0, equals) : "camera" + std::to_string(number);
  camera.source = named ? text.substr(equals + 1) : text;
  return camera;
}

void CheckCameras(const std::vector<WatchedCamera>& cameras) {
  if (cameras.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "no camera is named: --camera or --config does");
  }
  if (cameras.size() > kMostCameras) {
    throw Error(ErrorKind::kInvalidArgument,
                "1 to 64 cameras can be watched, not " + std::to_string(cameras.size()));
  }
  std::set<std::string> names;
  for (const WatchedCamera& camera : cameras) {
    if (!names.insert(camera.name).second) {
      throw Error(ErrorKind::kInvalidArgument, "two cameras are called " + camera.name);
    }
  }
}

}  // namespace bagel::vision
