// Thin helpers over nlohmann-json for files and requests that may be broken or hostile.
#ifndef BAGEL_FORMATS_JSON_H_
#define BAGEL_FORMATS_JSON_H_

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace bagel {

using Json = nlohmann::json;

struct JsonLimits {
  size_t max_bytes = size_t{64} << 20;
  int max_depth = 64;  // of brackets inside brackets
};

// Parses one JSON value. `where` names the source in errors: a file's path, "request". Throws
// kCorrupt with the byte position when the text is not JSON, kTooLarge past a limit.
Json ParseJson(std::string_view text, const std::string& where, const JsonLimits& limits = {});

// Maps and parses a file. Throws as MappedFile and ParseJson do.
Json ReadJsonFile(const std::string& path, const JsonLimits& limits = {});

// For a file whose content must not matter: the published config.json of BAGEL has a comma before
// its closing brace. Commas before a closing bracket are dropped; what then still is not a JSON
// object, or not there, or too large, comes back as an empty object. Never throws for content.
Json ReadJsonFileLeniently(const std::string& path, const JsonLimits& limits = {});

// A view of a JSON object with getters that check type and range. Errors (kInvalidArgument) name
// the source, the key, what was expected and what was found. The object must outlive the view.
class JsonObject {
 public:
  // Throws when `json` is not an object.
  JsonObject(const Json& json, std::string where);

  const Json& json() const { return *json_; }
  const std::string& where() const { return where_; }

  // True when the key is there and its value is not null.
  bool Has(std::string_view key) const;

  // A missing key, or null, is an error in the first form of each and gives `fallback` in the
  // second. Int takes 2.0 for 2. Double is finite; a range includes both its ends.
  int64_t Int(std::string_view key, int64_t min, int64_t max) const;
  int64_t Int(std::string_view key, int64_t min, int64_t max, int64_t fallback) const;
  double Double(std::string_view key, double min, double max) const;
  double Double(std::string_view key, double min, double max, double fallback) const;
  bool Bool(std::string_view key) const;
  bool Bool(std::string_view key, bool fallback) const;
  std::string String(std::string_view key) const;
  std::string String(std::string_view key, const std::string& fallback) const;

  // A list of at most `max_items` whole numbers.
  std::vector<int64_t> IntList(std::string_view key, int64_t min, int64_t max,
                               size_t max_items) const;
  // The object under `key`, whose errors are named "where: key".
  JsonObject Object(std::string_view key) const;

 private:
  const Json& Value(std::string_view key, const char* expected) const;
  [[noreturn]] void Fail(std::string_view key, const std::string& expected,
                         const Json* found) const;

  const Json* json_;
  std::string where_;
};

}  // namespace bagel

#endif  // BAGEL_FORMATS_JSON_H_
