#include "vision/mood.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <map>
#include <utility>
#include <vector>

#include "vision/words.h"

namespace bagel::vision {
namespace {

const std::map<std::string, const char*>& Labels() {
  static const auto* labels = [] {
    auto* table = new std::map<std::string, const char*>;
    const auto add = [&](const char* label, std::initializer_list<const char*> words) {
      (*table)[label] = label;
      for (const char* word : words) (*table)[word] = label;
    };
    add("happy", {"happiness", "cheerful", "joyful", "joy", "glad", "pleased", "delighted",
                  "smiling", "content", "contented", "friendly", "positive"});
    add("sad", {"sadness", "unhappy", "melancholy", "melancholic", "sorrowful", "depressed",
                "upset", "disappointed", "down"});
    add("angry", {"anger", "furious", "mad", "annoyed", "irritated", "frustrated", "frustration"});
    add("surprised", {"surprise", "astonished", "amazed", "shocked", "startled"});
    add("relaxed", {"calm", "calmness", "peaceful", "serene", "composed"});
    add("tired", {"tiredness", "sleepy", "exhausted", "fatigued", "weary", "drowsy"});
    add("neutral", {"expressionless", "blank", "impassive", "indifferent"});
    add("afraid", {"fear", "fearful", "scared", "frightened", "terrified"});
    add("disgusted", {"disgust"});
    add("confused", {"confusion", "puzzled", "perplexed"});
    add("worried", {"worry", "anxious", "anxiety", "concerned", "nervous", "stressed", "tense"});
    add("bored", {"boredom", "uninterested"});
    add("focused",
        {"focus", "concentrated", "concentrating", "attentive", "determined", "serious"});
    add("amused", {"amusement", "playful"});
    add("embarrassed", {"embarrassment", "shy", "ashamed"});
    add("thoughtful", {"pensive", "contemplative", "reflective"});
    add("excited", {"excitement", "enthusiastic", "thrilled"});
    return table;
  }();
  return *labels;
}

bool IsIn(const std::string& word, std::initializer_list<const char*> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool IsFacePart(const std::string& word) {
  return IsIn(word, {"eye", "eyes", "eyebrow", "eyebrows", "brow", "brows", "mouth", "jaw", "lips",
                     "lip", "forehead", "gaze", "smile", "cheeks", "muscles"});
}

bool IsNegation(const std::string& word) {
  return IsIn(word, {"not", "no", "never", "without", "isn't", "doesn't", "neither", "nor"});
}

// "not very happy", but not "not happy but tired" for its last word.
bool IsNegated(const std::vector<std::string>& words, size_t index) {
  constexpr size_t kReach = 3;
  for (size_t back = 1; back <= std::min(index, kReach); ++back) {
    const std::string& word = words[index - back];
    if (word == "but") return false;
    if (IsNegation(word)) return true;
  }
  return false;
}

// The first mood word that counts, or null.
const char* FindLabel(const std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    const auto found = Labels().find(words[i]);
    if (found == Labels().end()) continue;
    if (i + 1 < words.size() && IsFacePart(words[i + 1])) continue;
    if (!IsNegated(words, i)) return found->second;
  }
  return nullptr;
}

// Where "Relaxed - soft eyes" goes from the mood to its reason; the length of what divides them.
std::pair<size_t, size_t> FindDivider(std::string_view text) {
  std::pair<size_t, size_t> first{std::string_view::npos, 0};
  for (const std::string_view divider : {" - ", " \u2013 ", " \u2014 ", ": ", ", ", ". "}) {
    const size_t at = text.find(divider);
    if (at < first.first) first = {at, divider.size()};
  }
  return first;
}

}  // namespace

Mood ParseMood(std::string_view answer) {
  constexpr size_t kMostWords = 4;  // "Primary emotion is happy"
  const std::string text = Trimmed(WithoutControlBytes(answer, false));
  if (text.empty()) return {"unknown", ""};
  std::string_view rest = text;
  // "PRIMARY emotion: Happy - wide smile" names the mood in its second part.
  for (int part = 0; part < 2; ++part) {
    const auto [at, length] = FindDivider(rest);
    if (at == std::string_view::npos) break;
    const std::vector<std::string> words = WordsOf(rest.substr(0, at));
    if (words.size() > kMostWords) break;
    rest.remove_prefix(at + length);
    if (const char* label = FindLabel(words)) return {label, Trimmed(rest)};
  }
  const char* const label = FindLabel(WordsOf(text));
  return {label != nullptr ? label : "unknown", text};
}

}  // namespace bagel::vision
