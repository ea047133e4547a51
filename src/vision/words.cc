#include "vision/words.h"

namespace bagel::vision {

std::vector<std::string> WordsOf(std::string_view text) {
  constexpr std::string_view kTypographic = "\u2019";
  std::vector<std::string> words;
  bool inside = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (text.substr(i).starts_with(kTypographic)) {
      c = '\'';
      i += kTypographic.size() - 1;
    }
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '\'' ||
                      static_cast<unsigned char>(c) >= 0x80;
    if (word && !inside) words.emplace_back();
    if (word) words.back() += c;
    inside = word;
  }
  return words;
}

std::string Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin));
}

std::string WithoutControlBytes(std::string_view text, bool lines) {
  std::string clean(text);
  for (char& c : clean) {
    const bool line = c == '\n' || c == '\t';
    if ((static_cast<unsigned char>(c) < 0x20 && !(lines && line)) || c == 0x7f) c = ' ';
  }
  // U+0080 to U+009F, which steer a terminal as well.
  for (size_t i = 0; i + 1 < clean.size(); ++i) {
    if (clean[i] == '\xc2' && static_cast<unsigned char>(clean[i + 1] - '\x80') < 0x20)
      clean[i] = clean[i + 1] = ' ';
  }
  return clean;
}

}  // namespace bagel::vision
