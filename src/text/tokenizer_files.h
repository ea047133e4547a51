// The three tokenizer files of a checkpoint as structures.
#ifndef BAGEL_TEXT_TOKENIZER_FILES_H_
#define BAGEL_TEXT_TOKENIZER_FILES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bagel {

// Ids from here on are refused: the real vocabulary ends at 151665.
inline constexpr int32_t kMaxTokenId = 1 << 20;

struct AddedToken {
  int32_t id = 0;
  std::string text;
  bool special = false;
};

// Throws kCorrupt: the file's name and what is wrong with it.
[[noreturn]] void ThrowCorrupt(const std::filesystem::path& file, const std::string& what);

// All three throw as MappedFile does for a file that is missing or cannot be read, kTooLarge for
// one that passes its size limit, and kCorrupt with the file's name and the offending value.

// vocab.json: from a token's bytes (not their printable stand-ins) to its id.
std::unordered_map<std::string, int32_t> ReadVocabulary(const std::filesystem::path& file);

// merges.txt: pairs of tokens' bytes in the order of their rank.
std::vector<std::pair<std::string, std::string>> ReadMerges(const std::filesystem::path& file);

// `added_tokens_decoder` of tokenizer_config.json, the longest text first. Throws kUnsupported for
// tokens that take neighbouring white space or want word borders (lstrip, rstrip, single_word).
std::vector<AddedToken> ReadAddedTokens(const std::filesystem::path& file);

}  // namespace bagel

#endif  // BAGEL_TEXT_TOKENIZER_FILES_H_
