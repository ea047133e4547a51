// Texts as lists of words.
#ifndef BAGEL_VISION_WORDS_H_
#define BAGEL_VISION_WORDS_H_

#include <string>
#include <string_view>
#include <vector>

namespace bagel::vision {

// Lower-case words of ASCII letters, digits and apostrophes ("what's"), and of bytes past ASCII as
// they are; everything else only separates. A typographic apostrophe counts as a plain one.
std::vector<std::string> WordsOf(std::string_view text);

// `text` without white space at its ends.
std::string Trimmed(std::string_view text);

// Bytes that steer a terminal or a log replaced by spaces; line ends and tabs too unless `lines`.
std::string WithoutControlBytes(std::string_view text, bool lines = true);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_WORDS_H_
