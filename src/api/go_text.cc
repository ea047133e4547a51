#include "api/go_text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "base/error.h"
#include "formats/quote.h"

namespace bagel::api {
namespace {

constexpr std::array<std::string_view, 8> kDurationUnits = {"ns", "us", "\u00b5s", "\u03bcs",
                                                            "ms", "s",  "m",       "h"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

[[noreturn]] void FailDuration(const std::string& what, std::string_view text) {
  throw Error(ErrorKind::kInvalidArgument, "time: " + what + " duration " + QuoteName(text));
}

}  // namespace

bool IsZeroDuration(std::string_view text) {
  std::string_view rest = text;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
    rest.remove_prefix(1);
  }
  if (rest == "0") {
    return true;
  }
  if (rest.empty()) {
    FailDuration("invalid", text);
  }
  bool zero = true;
  while (!rest.empty()) {
    int digits = 0;
    bool point = false;
    while (!rest.empty() && (IsDigit(rest.front()) || (rest.front() == '.' && !point))) {
      point = point || rest.front() == '.';
      digits += IsDigit(rest.front()) ? 1 : 0;
      zero = zero && (rest.front() == '0' || rest.front() == '.');
      rest.remove_prefix(1);
    }
    if (digits == 0) {
      FailDuration("invalid", text);
    }
    const auto unit_end =
        std::find_if(rest.begin(), rest.end(), [](char c) { return c == '.' || IsDigit(c); });
    const std::string_view unit = rest.substr(0, static_cast<size_t>(unit_end - rest.begin()));
    if (unit.empty()) {
      FailDuration("missing unit in", text);
    }
    if (std::find(kDurationUnits.begin(), kDurationUnits.end(), unit) == kDurationUnits.end()) {
      FailDuration("unknown unit " + QuoteName(unit) + " in", text);
    }
    rest.remove_prefix(unit.size());
  }
  return zero;
}

std::string FormatTime(int64_t unix_nanoseconds) {
  constexpr int64_t kSecond = 1'000'000'000;
  const int64_t fraction = ((unix_nanoseconds % kSecond) + kSecond) % kSecond;
  const std::time_t seconds = (unix_nanoseconds - fraction) / kSecond;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 80> text{};
  const int length = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ",
                                   utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                                   utc.tm_min, utc.tm_sec, static_cast<long>(fraction));
  return {text.data(), static_cast<size_t>(length)};
}

std::string QuoteName(std::string_view text) { return Quote(text, 200); }

}  // namespace bagel::api
