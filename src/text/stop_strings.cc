#include "text/stop_strings.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"

namespace bagel {

StopStrings::StopStrings(const std::vector<std::string>& stops) {
  for (size_t index = 0; index < stops.size(); ++index) {
    const std::string& stop = stops[index];
    if (stop.empty() || !IsValidUtf8(stop)) {
      throw Error(ErrorKind::kInvalidArgument,
                  "Stop string " + std::to_string(index + 1) + " of " +
                      std::to_string(stops.size()) +
                      (stop.empty() ? " is empty." : " is not well-formed UTF-8."));
    }
    Pattern pattern{stop, std::vector<size_t>(stop.size()), 0};
    for (size_t i = 1; i < stop.size(); ++i) {
      Advance(pattern, stop[i]);
      pattern.borders[i] = pattern.matched;
    }
    pattern.matched = 0;
    patterns_.push_back(std::move(pattern));
  }
}

bool StopStrings::Advance(Pattern& pattern, char next) {
  size_t& matched = pattern.matched;
  while (matched > 0 && pattern.text[matched] != next) matched = pattern.borders[matched - 1];
  if (pattern.text[matched] == next) ++matched;
  return matched == pattern.text.size();
}

std::string StopStrings::Push(std::string_view text) {
  if (stopped_) return "";
  const size_t known = held_.size();
  held_.append(text);
  for (size_t i = known; i < held_.size(); ++i) {
    size_t longest = 0;
    for (Pattern& pattern : patterns_) {
      if (Advance(pattern, held_[i])) longest = std::max(longest, pattern.text.size());
    }
    if (longest == 0) continue;
    stopped_ = true;
    held_.resize(i + 1 - longest);
    return std::exchange(held_, "");
  }
  size_t unfinished = 0;
  for (const Pattern& pattern : patterns_) unfinished = std::max(unfinished, pattern.matched);
  std::string shown = held_.substr(0, held_.size() - unfinished);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopStrings::Finish() {
  for (Pattern& pattern : patterns_) pattern.matched = 0;
  return std::exchange(held_, "");
}

}  // namespace bagel
