#include "api/wire_json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"

namespace bagel::api {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

void AppendUtf8(std::string& out, uint32_t point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
    return;
  }
  int tail = 1;
  if (point < 0x800) {
    out += static_cast<char>(0xC0 | (point >> 6));
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | (point >> 12));
    tail = 2;
  } else {
    out += static_cast<char>(0xF0 | (point >> 18));
    tail = 3;
  }
  while (tail-- > 0) {
    out += static_cast<char>(0x80 | ((point >> (6 * tail)) & 0x3F));
  }
}

// A byte in Go's quotes: 'x', '\'', '"', '\n', '\x00', 'ÿ' (bytes count as Latin-1).
std::string Quoted(char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr std::string_view kEscapes = "abtnvfr";  // from 0x07 on
  const auto byte = static_cast<unsigned char>(c);
  std::string quoted = "'";
  if (c == '\'') {
    quoted += "\\'";
  } else if (c == '\\') {
    quoted += "\\\\";
  } else if (byte >= 7 && byte < 14) {
    quoted.append("\\").append(1, kEscapes[byte - 7U]);
  } else if (byte < 0x20 || byte == 0x7f) {
    quoted.append("\\x").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
  } else if (byte >= 0x80 && (byte <= 0xa0 || byte == 0xad)) {
    quoted.append("\\u00").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
  } else {
    AppendUtf8(quoted, byte);
  }
  return quoted + "'";
}

class Reader {
 public:
  Reader(std::string_view text, const WireLimits& limits) : text_(text), limits_(limits) {}

  WireValue ReadFirst() {
    SkipSpace();
    if (at_ == text_.size()) {
      throw Error(ErrorKind::kInvalidArgument, "missing request body");
    }
    return ReadValue(1);
  }

 private:
  [[noreturn]] void Fail(const std::string& where) const {
    throw Error(ErrorKind::kInvalidArgument,
                at_ >= text_.size() ? "unexpected EOF"
                                    : "invalid character " + Quoted(text_[at_]) + " " + where);
  }

  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool Skip(char c) {
    if (at_ < text_.size() && text_[at_] == c) {
      ++at_;
      return true;
    }
    return false;
  }

  void SkipSpace() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n')) {
      ++at_;
    }
  }

  WireValue ReadValue(int depth) {
    if (++values_ > limits_.values) {
      throw Error(ErrorKind::kTooLarge,
                  "more than " + std::to_string(limits_.values) + " JSON values in one request");
    }
    switch (Peek()) {
      case '{':
        return {ReadObject(depth)};
      case '[':
        return {ReadArray(depth)};
      case '"':
        return {ReadString()};
      case 't':
        ReadWord("true");
        return {true};
      case 'f':
        ReadWord("false");
        return {false};
      case 'n':
        ReadWord("null");
        return {nullptr};
      default:
        return {ReadNumber()};
    }
  }

  void CheckDepth(int depth) const {
    if (depth > limits_.depth) {
      throw Error(ErrorKind::kInvalidArgument, "exceeded max depth");
    }
  }

  WireObject ReadObject(int depth) {
    CheckDepth(depth);
    WireObject object;
    ++at_;
    SkipSpace();
    if (Skip('}')) {
      return object;
    }
    while (true) {
      SkipSpace();
      if (Peek() != '"') {
        Fail("looking for beginning of object key string");
      }
      std::string key = ReadString();
      SkipSpace();
      if (!Skip(':')) {
        Fail("after object key");
      }
      SkipSpace();
      object.push_back({std::move(key), ReadValue(depth + 1)});
      SkipSpace();
      if (Skip('}')) {
        return object;
      }
      if (!Skip(',')) {
        Fail("after object key:value pair");
      }
    }
  }

  WireArray ReadArray(int depth) {
    CheckDepth(depth);
    WireArray array;
    ++at_;
    SkipSpace();
    if (Skip(']')) {
      return array;
    }
    while (true) {
      SkipSpace();
      array.push_back(ReadValue(depth + 1));
      SkipSpace();
      if (Skip(']')) {
        return array;
      }
      if (!Skip(',')) {
        Fail("after array element");
      }
    }
  }

  void ReadWord(std::string_view word) {
    ++at_;
    for (const char expected : word.substr(1)) {
      if (!Skip(expected)) {
        Fail("in literal " + std::string(word) + " (expecting '" + expected + "')");
      }
    }
  }

  void ReadDigits(const char* where) {
    if (!IsDigit(Peek())) {
      Fail(where);
    }
    while (IsDigit(Peek())) {
      ++at_;
    }
  }

  WireNumber ReadNumber() {
    const std::size_t begin = at_;
    const bool negative = Skip('-');
    if (!Skip('0')) {
      ReadDigits(negative ? "in numeric literal" : "looking for beginning of value");
    }
    if (Skip('.')) {
      ReadDigits("after decimal point in numeric literal");
    }
    if (Skip('e') || Skip('E')) {
      if (!Skip('+')) {
        Skip('-');
      }
      ReadDigits("in exponent of numeric literal");
    }
    return {std::string(text_.substr(begin, at_ - begin))};
  }

  std::string ReadString() {
    std::string out;
    ++at_;
    while (true) {
      const std::size_t begin = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20) {
        ++at_;
      }
      out.append(text_.substr(begin, at_ - begin));
      if (Skip('"')) {
        break;
      }
      if (!Skip('\\')) {
        Fail("in string literal");
      }
      ReadEscape(out);
    }
    return IsValidUtf8(out) ? out : ReplaceInvalidUtf8(out);
  }

  void ReadEscape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
    if (Skip('u')) {
      ReadUnicodeEscape(out);
      return;
    }
    const std::size_t index = at_ < text_.size() ? kNames.find(text_[at_]) : std::string_view::npos;
    if (index == std::string_view::npos) {
      Fail("in string escape code");
    }
    ++at_;
    out += kBytes[index];
  }

  void ReadUnicodeEscape(std::string& out) {
    uint32_t point = ReadHex4();
    if (point >= 0xD800 && point < 0xE000) {
      const std::size_t after = at_;
      const bool pair = point < 0xDC00 && text_.substr(at_).starts_with("\\u");
      point = pair ? CombineSurrogates(point) : 0xFFFD;
      if (point == 0xFFFD) {
        at_ = after;
      }
    }
    AppendUtf8(out, point);
  }

  uint32_t CombineSurrogates(uint32_t high) {
    at_ += 2;
    const uint32_t low = ReadHex4();
    return low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
                                         : 0xFFFD;
  }

  uint32_t ReadHex4() {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = Peek();
      uint32_t digit = 0;
      if (IsDigit(c)) {
        digit = static_cast<uint32_t>(c - '0');
      } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
        digit = static_cast<uint32_t>((c | 0x20) - 'a' + 10);
      } else {
        Fail("in \\u hexadecimal character escape");
      }
      value = value * 16 + digit;
      ++at_;
    }
    return value;
  }

  const std::string_view text_;
  const WireLimits& limits_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
};

}  // namespace

WireValue ReadWireJson(std::string_view text, const WireLimits& limits) {
  return Reader(text, limits).ReadFirst();
}

std::optional<double> ToDouble(const WireNumber& number) {
  double result = 0;
  const char* const end = number.literal.data() + number.literal.size();
  const auto [rest, error] = std::from_chars(number.literal.data(), end, result);
  return error == std::errc() && rest == end ? std::optional(result) : std::nullopt;
}

std::optional<int64_t> ToInt(const WireNumber& number) {
  int64_t exact = 0;
  const char* const end = number.literal.data() + number.literal.size();
  const auto [rest, error] = std::from_chars(number.literal.data(), end, exact);
  if (error == std::errc() && rest == end) {
    return exact;
  }
  const std::optional<double> value = ToDouble(number);
  constexpr double kLimit = 9223372036854775808.0;
  if (!value || !(*value > -kLimit && *value < kLimit) || *value != std::trunc(*value)) {
    return std::nullopt;
  }
  return static_cast<int64_t>(*value);
}

const char* WireKind(const WireValue& value) {
  constexpr std::array<const char*, 6> kKinds = {"null",   "bool",  "number",
                                                 "string", "array", "object"};
  return kKinds[value.value.index()];
}

}  // namespace bagel::api
