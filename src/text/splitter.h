// Cuts text into the pieces that byte-pair merges never cross.
#ifndef BAGEL_TEXT_SPLITTER_H_
#define BAGEL_TEXT_SPLITTER_H_

#include <memory>
#include <string_view>
#include <vector>

namespace bagel {

// Qwen2's pattern: contractions, words with one leading character, single digits, runs of
// punctuation, runs of white space. Const methods may run on several threads at once.
class Splitter {
 public:
  enum class Engine { kJitIfAvailable, kInterpreter };

  explicit Splitter(Engine engine = Engine::kJitIfAvailable);
  ~Splitter();
  Splitter(Splitter&& other) noexcept;
  Splitter& operator=(Splitter&& other) noexcept;

  // The pieces of well-formed UTF-8 in order; joined, they are `text` again. Linear in its length.
  // Throws kOutOfMemory.
  std::vector<std::string_view> Split(std::string_view text) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace bagel

#endif  // BAGEL_TEXT_SPLITTER_H_
