// Phrases by which people ask to be looked at.
#ifndef BAGEL_VISION_TRIGGERS_H_
#define BAGEL_VISION_TRIGGERS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bagel::vision {

// A list of phrases. They are matched on words in any case, not on letters: "look at me" is in
// "Hey, LOOK at me!" and not in "a look at medicine". Apostrophes do not count ("what's" is
// "whats"). A phrase's word * stands for one to three words ("how does my * look"). A phrase right
// behind a negation ("don't look at me") asks for nothing. Immutable, so thread-safe.
class Triggers {
 public:
  // The phrases that come with the program: share/sophia/triggers.conf.
  Triggers();

  // The phrases of a text with one on each line; # begins a comment. `name` is that of its file,
  // for messages. Throws kCorrupt for a phrase without words, with more than 32 or with more than
  // four *, and for a text without phrases, kTooLarge for more than 1000.
  Triggers(std::string_view text, const std::string& name);

  // Reads a file. Throws kNotFound if it cannot be read, kTooLarge above 1 MiB.
  static Triggers FromFile(const std::string& path);

  // Those of the file `path`; without one of /etc/sophia/triggers.conf if it is there, else those
  // that come with the program.
  static Triggers Load(const std::string& path);

  // The phrase in `text` that asks for a look, as it stands in the list.
  std::optional<std::string> Find(std::string_view text) const;

  size_t size() const { return phrases_.size(); }

 private:
  struct Phrase {
    std::string text;
    std::vector<std::string> words;
  };
  std::vector<Phrase> phrases_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_TRIGGERS_H_
