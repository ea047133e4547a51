// Ends generated text where a stop string appears.
#ifndef BAGEL_TEXT_STOP_STRINGS_H_
#define BAGEL_TEXT_STOP_STRINGS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bagel {

// Knuth, Morris and Pratt's automaton for each stop string, fed byte by byte: the result does not
// depend on how the text is cut. The string whose end comes first wins, the longest of equals.
class StopStrings {
 public:
  // Throws kInvalidArgument for an empty stop string or one that is not well-formed UTF-8.
  explicit StopStrings(const std::vector<std::string>& stops);

  // What can be shown after adding `text`, well-formed UTF-8; so is the result. Held back is what
  // could be the beginning of a stop string. Nothing more comes once stopped.
  std::string Push(std::string_view text);

  // True once a stop string was found; it is never part of the output.
  bool stopped() const { return stopped_; }

  // What was held back; nothing if stopped.
  std::string Finish();

 private:
  struct Pattern {
    std::string text;
    std::vector<size_t> borders;  // of each prefix: the longest proper prefix that also ends it
    size_t matched = 0;
  };

  static bool Advance(Pattern& pattern, char next);

  std::vector<Pattern> patterns_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace bagel

#endif  // BAGEL_TEXT_STOP_STRINGS_H_
