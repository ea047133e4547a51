// Texts of unknown origin on a terminal.
#ifndef BAGEL_APPS_COMMON_TERMINAL_H_
#define BAGEL_APPS_COMMON_TERMINAL_H_

#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

namespace bagel {

inline bool IsTerminal(std::FILE* file) { return ::isatty(::fileno(file)) != 0; }

// Without the bytes that steer a terminal; line ends and tabs stay.
inline std::string WithoutControls(std::string text) {
  std::erase_if(text,
                [](unsigned char c) { return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f; });
  return text;
}

// `text` as it may be written to `file`.
inline std::string PrintableOn(std::FILE* file, std::string text) {
  return IsTerminal(file) ? WithoutControls(std::move(text)) : text;
}

}  // namespace bagel

#endif  // BAGEL_APPS_COMMON_TERMINAL_H_
