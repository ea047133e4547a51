// Text to the model's ids and back.
#ifndef BAGEL_TEXT_TOKENIZER_H_
#define BAGEL_TEXT_TOKENIZER_H_

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/bpe.h"
#include "text/splitter.h"
#include "text/tokenizer_files.h"

namespace bagel {

enum class Specials {
  kParse,  // added tokens inside the text become their ids, as in the reference: for our own texts
  kPlain,  // no added token's id comes out, whatever the text spells: for texts from outside
};

// Qwen2's byte-level BPE: NFC, the split, merges; no prefix space, no start token. Immutable once
// loaded; const methods may run on several threads at once.
class Tokenizer {
 public:
  // Reads vocab.json, merges.txt and tokenizer_config.json from `folder`. Throws kNotFound,
  // kInvalidArgument or kUnavailable (a file is missing, none, or locked), kTooLarge (64 MiB, 8 MiB
  // for the configuration), kUnsupported (added tokens that strip white space), kCorrupt (what
  // contradicts itself or its format; named with its value).
  static Tokenizer Load(const std::filesystem::path& folder);

  // Invalid parts of `text` are read as U+FFFD (as ReplaceInvalidUtf8 does). kParse takes the
  // leftmost, then longest added token, before normalisation. O(n log n); throws kTooLarge from
  // 1 GiB on, kOutOfMemory.
  std::vector<int32_t> Encode(std::string_view text, Specials specials) const;

  // The bytes of one token, often only part of a character: put them through a Utf8Stream. Added
  // tokens give their text; any number that is no token's id gives "".
  std::string TokenBytes(int32_t id) const;

  // True for added tokens marked special: control marks that no reader should see. Others, such as
  // <tool_call>, are text.
  bool IsSpecial(int32_t id) const;

  // Well-formed UTF-8: what is invalid in the joined bytes becomes U+FFFD. With `skip_specials`,
  // tokens for which IsSpecial holds are left out.
  std::string Decode(std::span<const int32_t> ids, bool skip_specials = false) const;

  // The id of an added token by its text. Throws kCorrupt if the checkpoint has none.
  int32_t SpecialId(std::string_view text) const;

  // One more than the highest id; ids in between may have no token.
  int32_t size() const { return static_cast<int32_t>(token_bytes_.size()); }

 private:
  Tokenizer(const std::filesystem::path& folder, const std::array<int32_t, 256>& byte_ids);
  void AddVocabulary(const std::unordered_map<std::string, int32_t>& vocabulary);
  void AddMerges(const std::unordered_map<std::string, int32_t>& vocabulary);
  void AddAddedTokens(const std::unordered_map<std::string, int32_t>& vocabulary);
  void EncodePlain(std::string_view text, std::vector<int32_t>& ids) const;
  const AddedToken* AddedTokenAt(std::string_view text) const;

  std::filesystem::path folder_;
  std::vector<std::string> token_bytes_;
  std::vector<AddedToken> added_tokens_;  // the longest first
  std::vector<bool> is_added_;            // by id, as long as token_bytes_
  std::vector<bool> is_special_;          // by id, as long as token_bytes_
  std::array<bool, 256> starts_added_token_{};
  Splitter splitter_;
  Bpe bpe_;
};

}  // namespace bagel

#endif  // BAGEL_TEXT_TOKENIZER_H_
