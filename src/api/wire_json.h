// JSON from clients, read as Go's encoding/json reads it, since Ollama's clients see its error
// texts.
#ifndef BAGEL_API_WIRE_JSON_H_
#define BAGEL_API_WIRE_JSON_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bagel::api {

struct WireValue;
struct WireMember;

// A number as it was written: whoever uses it decides what fits.
struct WireNumber {
  std::string literal;
};

using WireArray = std::vector<WireValue>;
using WireObject = std::vector<WireMember>;  // in order, duplicates kept

struct WireValue {
  std::variant<std::nullptr_t, bool, WireNumber, std::string, WireArray, WireObject> value;

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(value); }
  template <typename T>
  const T* As() const {
    return std::get_if<T>(&value);
  }
};

struct WireMember {
  std::string name;
  WireValue value;
};

struct WireLimits {
  int depth = 100;
  std::size_t values = 200'000;
};

// Reads the first JSON value of `text` and ignores what follows. Invalid UTF-8 and lone surrogates
// in strings become U+FFFD. Throws Error: kInvalidArgument with Go's text, kTooLarge past a limit
// on values. An empty text is "missing request body".
WireValue ReadWireJson(std::string_view text, const WireLimits& limits = {});

// The number as a double; nothing if it is past the range of one or no number.
std::optional<double> ToDouble(const WireNumber& number);

// A whole number, which may be written as 3.0 or 1e3; nothing if it has a fraction or int64 cannot
// hold it.
std::optional<int64_t> ToInt(const WireNumber& number);

// Go's word for the kind of a value: "string", "number", "bool", "array", "object", "null".
const char* WireKind(const WireValue& value);

}  // namespace bagel::api

#endif  // BAGEL_API_WIRE_JSON_H_
