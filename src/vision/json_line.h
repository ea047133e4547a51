// How JSON goes to others.
#ifndef BAGEL_VISION_JSON_LINE_H_
#define BAGEL_VISION_JSON_LINE_H_

#include <nlohmann/json.hpp>
#include <string>

namespace bagel::vision {

inline constexpr const char* kJsonType = "application/json; charset=utf-8";

// One line of ASCII, in the order of the keys; bytes that are not UTF-8 are replaced.
inline std::string JsonLine(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace bagel::vision

#endif  // BAGEL_VISION_JSON_LINE_H_
