// How Go writes values into the messages that Ollama's clients know.
#ifndef BAGEL_API_GO_TEXT_H_
#define BAGEL_API_GO_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace bagel::api {

// Checks a Go duration such as "5m", "1h30m", "-1s" or "0" and returns whether it is zero. Throws
// kInvalidArgument with Go's text ("time: missing unit in duration \"300\"").
bool IsZeroDuration(std::string_view text);

// A time as RFC 3339 in UTC with nine digits of a second.
std::string FormatTime(int64_t unix_nanoseconds);

// In double quotes, for messages; what is too long for one is cut.
std::string QuoteName(std::string_view text);

}  // namespace bagel::api

#endif  // BAGEL_API_GO_TEXT_H_
