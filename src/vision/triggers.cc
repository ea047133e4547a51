#include "vision/triggers.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "vision/default_triggers.h"
#include "vision/words.h"

namespace bagel::vision {
namespace {

constexpr size_t kMostPhrases = 1000;
constexpr size_t kMostWords = 32;
constexpr ptrdiff_t kMostStars = 4;  // each one triples the ways to match
constexpr size_t kLargestFile = size_t{1} << 20;
constexpr size_t kMostSaidWords = 1000;  // nobody says more to be looked at
constexpr const char* kAnyWords = "*";

// Without apostrophes, so that "what's" is "whats".
std::vector<std::string> ComparedWords(std::string_view text) {
  std::vector<std::string> words = WordsOf(text);
  for (std::string& word : words) std::erase(word, '\'');
  std::erase(words, "");
  return words;
}

std::vector<std::string> PhraseWords(std::string_view phrase) {
  std::vector<std::string> words;
  for (size_t begin = 0; begin <= phrase.size();) {
    const size_t star = std::min(phrase.find('*', begin), phrase.size());
    for (std::string& word : ComparedWords(phrase.substr(begin, star - begin)))
      words.push_back(std::move(word));
    if (star < phrase.size()) words.emplace_back(kAnyWords);
    begin = star + 1;
  }
  return words;
}

using Words = std::span<const std::string>;

// Whether `said` begins with `phrase`.
bool BeginsWith(Words said, Words phrase) {
  if (phrase.empty()) return true;
  if (phrase.front() != kAnyWords)
    return !said.empty() && said.front() == phrase.front() &&
           BeginsWith(said.subspan(1), phrase.subspan(1));
  constexpr size_t kMostAnyWords = 3;
  for (size_t count = 1; count <= std::min(said.size(), kMostAnyWords); ++count) {
    if (BeginsWith(said.subspan(count), phrase.subspan(1))) return true;
  }
  return false;
}

bool IsNegation(const std::string& word) {
  constexpr std::array<const char*, 6> kNegations = {"not",    "dont", "never",
                                                     "cannot", "cant", "stop"};
  return std::find(kNegations.begin(), kNegations.end(), word) != kNegations.end();
}

}  // namespace

Triggers::Triggers() : Triggers(kDefaultTriggers, "the built-in phrases") {}

Triggers::Triggers(std::string_view text, const std::string& name) {
  std::istringstream lines{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const std::string phrase = Trimmed(line.substr(0, line.find('#')));
    if (phrase.empty()) continue;
    const std::string where = name + ", line " + std::to_string(number) + ": ";
    Phrase parsed{phrase, PhraseWords(phrase)};
    if (std::all_of(parsed.words.begin(), parsed.words.end(),
                    [](const std::string& word) { return word == kAnyWords; }))
      throw Error(ErrorKind::kCorrupt, where + "a phrase needs a word");
    if (parsed.words.size() > kMostWords)
      throw Error(ErrorKind::kCorrupt,
                  where + "a phrase has at most " + std::to_string(kMostWords) + " words");
    if (std::count(parsed.words.begin(), parsed.words.end(), kAnyWords) > kMostStars)
      throw Error(ErrorKind::kCorrupt,
                  where + "a phrase has at most " + std::to_string(kMostStars) + " *");
    if (phrases_.size() == kMostPhrases)
      throw Error(ErrorKind::kTooLarge,
                  name + " has more than " + std::to_string(kMostPhrases) + " phrases");
    phrases_.push_back(std::move(parsed));
  }
  if (phrases_.empty()) throw Error(ErrorKind::kCorrupt, name + " holds no phrase");
}

Triggers Triggers::FromFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kLargestFile + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad() || (file.fail() && !file.eof()))
    throw Error(ErrorKind::kNotFound, "the phrases in " + path + " cannot be read");
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kLargestFile)
    throw Error(ErrorKind::kTooLarge,
                path + " has more than " + std::to_string(kLargestFile) + " bytes");
  return Triggers(text, path);
}

Triggers Triggers::Load(const std::string& path) {
  constexpr const char* kOfThisMachine = "/etc/sophia/triggers.conf";
  if (!path.empty()) return FromFile(path);
  std::error_code error;
  return std::filesystem::exists(kOfThisMachine, error) ? FromFile(kOfThisMachine) : Triggers();
}

std::optional<std::string> Triggers::Find(std::string_view text) const {
  std::vector<std::string> said = ComparedWords(text);
  if (said.size() > kMostSaidWords) said.resize(kMostSaidWords);
  for (const Phrase& phrase : phrases_) {
    for (size_t begin = 0; begin < said.size(); ++begin) {
      if (begin > 0 && IsNegation(said[begin - 1])) continue;
      if (BeginsWith(Words(said).subspan(begin), phrase.words)) return phrase.text;
    }
  }
  return std::nullopt;
}

}  // namespace bagel::vision
