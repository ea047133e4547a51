#include "formats/json.h"

#include <cmath>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/error.h"
#include "formats/mapped_file.h"
#include "formats/quote.h"

namespace bagel {
namespace {

// What stands in the JSON, short enough for an error message.
std::string Found(const Json* value) {
  if (value == nullptr || value->is_null()) return "nothing";
  if (value->is_string()) return "the string " + Quote(value->get_ref<const std::string&>(), 40);
  if (value->is_object()) return "an object";
  if (value->is_array()) return "a list of " + std::to_string(value->size());
  return value->dump();
}

std::optional<int64_t> AsInt(const Json& value) {
  constexpr double kTwoTo63 = 9223372036854775808.0;
  if (value.is_number_unsigned()) {
    const uint64_t number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (number == std::floor(number) && number >= -kTwoTo63 && number < kTwoTo63) {
      return static_cast<int64_t>(number);
    }
  }
  return std::nullopt;
}

std::string ShortDouble(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

// Leaves out commas whose next character, apart from white space, closes a bracket.
std::string WithoutTrailingCommas(std::string_view text) {
  std::string kept;
  kept.reserve(text.size());
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\' && i + 1 < text.size()) {
      kept += c;
      kept += text[++i];
      continue;
    }
    if (c == '"') in_string = !in_string;
    if (c == ',' && !in_string) {
      const size_t next = text.find_first_not_of(" \t\r\n", i + 1);
      if (next != std::string_view::npos && (text[next] == '}' || text[next] == ']')) continue;
    }
    kept += c;
  }
  return kept;
}

}  // namespace

Json ParseJson(std::string_view text, const std::string& where, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    throw Error(ErrorKind::kTooLarge, where + ": has " + std::to_string(text.size()) +
                                          " bytes, more than the limit " +
                                          std::to_string(limits.max_bytes));
  }
  const auto guard = [&](int depth, Json::parse_event_t event, Json&) {
    const bool opens =
        event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth >= limits.max_depth) {
      throw Error(ErrorKind::kTooLarge,
                  where + ": is nested deeper than the limit " + std::to_string(limits.max_depth));
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), guard);
  } catch (const Json::parse_error& error) {
    throw Error(ErrorKind::kCorrupt,
                where + ": not valid JSON, broken at byte " + std::to_string(error.byte));
  } catch (const Json::exception&) {
    throw Error(ErrorKind::kCorrupt, where + ": holds a number that does not fit");
  }
}

Json ReadJsonFile(const std::string& path, const JsonLimits& limits) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  return ParseJson({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path, limits);
}

Json ReadJsonFileLeniently(const std::string& path, const JsonLimits& limits) {
  try {
    const MappedFile file(path);
    const auto bytes = file.bytes();
    if (bytes.size() > limits.max_bytes) return Json::object();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    Json json = ParseJson(WithoutTrailingCommas(text), path, limits);
    return json.is_object() ? json : Json::object();
  } catch (const Error&) {
    return Json::object();
  }
}

JsonObject::JsonObject(const Json& json, std::string where)
    : json_(&json), where_(std::move(where)) {
  if (!json.is_object()) {
    throw Error(ErrorKind::kInvalidArgument,
                where_ + ": expected an object, found " + Found(&json));
  }
}

bool JsonObject::Has(std::string_view key) const {
  const auto found = json_->find(key);
  return found != json_->end() && !found->is_null();
}

void JsonObject::Fail(std::string_view key, const std::string& expected, const Json* found) const {
  throw Error(ErrorKind::kInvalidArgument,
              where_ + ": " + Quote(key) + ": expected " + expected + ", found " + Found(found));
}

const Json& JsonObject::Value(std::string_view key, const char* expected) const {
  const auto found = json_->find(key);
  if (found == json_->end() || found->is_null()) Fail(key, expected, nullptr);
  return *found;
}

int64_t JsonObject::Int(std::string_view key, int64_t min, int64_t max) const {
  const Json& value = Value(key, "a whole number");
  const std::optional<int64_t> number = AsInt(value);
  if (!number || *number < min || *number > max) {
    Fail(key, "a whole number from " + std::to_string(min) + " to " + std::to_string(max), &value);
  }
  return *number;
}

int64_t JsonObject::Int(std::string_view key, int64_t min, int64_t max, int64_t fallback) const {
  return Has(key) ? Int(key, min, max) : fallback;
}

double JsonObject::Double(std::string_view key, double min, double max) const {
  const Json& value = Value(key, "a number");
  const double number = value.is_number() ? value.get<double>() : NAN;
  if (!std::isfinite(number) || number < min || number > max) {
    Fail(key, "a number from " + ShortDouble(min) + " to " + ShortDouble(max), &value);
  }
  return number;
}

double JsonObject::Double(std::string_view key, double min, double max, double fallback) const {
  return Has(key) ? Double(key, min, max) : fallback;
}

bool JsonObject::Bool(std::string_view key) const {
  const Json& value = Value(key, "true or false");
  if (!value.is_boolean()) Fail(key, "true or false", &value);
  return value.get<bool>();
}

bool JsonObject::Bool(std::string_view key, bool fallback) const {
  return Has(key) ? Bool(key) : fallback;
}

std::string JsonObject::String(std::string_view key) const {
  const Json& value = Value(key, "a string");
  if (!value.is_string()) Fail(key, "a string", &value);
  return value.get<std::string>();
}

std::string JsonObject::String(std::string_view key, const std::string& fallback) const {
  return Has(key) ? String(key) : fallback;
}

std::vector<int64_t> JsonObject::IntList(std::string_view key, int64_t min, int64_t max,
                                         size_t max_items) const {
  const Json& list = Value(key, "a list");
  if (!list.is_array() || list.size() > max_items) {
    Fail(key, "a list of at most " + std::to_string(max_items), &list);
  }
  std::vector<int64_t> numbers;
  for (const Json& item : list) {
    const std::optional<int64_t> number = AsInt(item);
    if (!number || *number < min || *number > max) {
      Fail(key, "whole numbers from " + std::to_string(min) + " to " + std::to_string(max), &item);
    }
    numbers.push_back(*number);
  }
  return numbers;
}

JsonObject JsonObject::Object(std::string_view key) const {
  const Json& value = Value(key, "an object");
  if (!value.is_object()) Fail(key, "an object", &value);
  return JsonObject(value, where_ + ": " + Quote(key));
}

}  // namespace bagel
