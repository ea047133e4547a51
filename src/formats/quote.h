// Outside text inside error messages.
#ifndef BAGEL_FORMATS_QUOTE_H_
#define BAGEL_FORMATS_QUOTE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace bagel {

// `text` in double quotes, fit for one line of a log: control characters become \xNN, broken UTF-8
// becomes U+FFFD, and what is longer than `max_bytes` is cut and followed by its full length.
std::string Quote(std::string_view text, size_t max_bytes = 120);

}  // namespace bagel

#endif  // BAGEL_FORMATS_QUOTE_H_
