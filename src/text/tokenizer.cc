#include "text/tokenizer.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "base/utf8.h"
#include "formats/quote.h"
#include "text/normalize.h"

namespace bagel {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 30;

std::array<int32_t, 256> FindByteIds(const std::unordered_map<std::string, int32_t>& vocabulary,
                                     const std::filesystem::path& file) {
  std::array<int32_t, 256> ids;
  for (size_t byte = 0; byte < ids.size(); ++byte) {
    const auto found = vocabulary.find(std::string(1, static_cast<char>(byte)));
    if (found == vocabulary.end()) {
      ThrowCorrupt(file, "has no token for the single byte " + std::to_string(byte));
    }
    ids[byte] = found->second;
  }
  return ids;
}

}  // namespace

Tokenizer Tokenizer::Load(const std::filesystem::path& folder) {
  const std::filesystem::path vocabulary_file = folder / "vocab.json";
  const auto vocabulary = ReadVocabulary(vocabulary_file);
  Tokenizer tokenizer(folder, FindByteIds(vocabulary, vocabulary_file));
  tokenizer.AddVocabulary(vocabulary);
  tokenizer.AddAddedTokens(vocabulary);
  tokenizer.AddMerges(vocabulary);
  return tokenizer;
}

Tokenizer::Tokenizer(const std::filesystem::path& folder, const std::array<int32_t, 256>& byte_ids)
    : folder_(folder), bpe_(byte_ids) {}

void Tokenizer::AddVocabulary(const std::unordered_map<std::string, int32_t>& vocabulary) {
  for (const auto& [bytes, id] : vocabulary) {
    const auto index = static_cast<size_t>(id);
    if (index >= token_bytes_.size()) token_bytes_.resize(index + 1);
    token_bytes_[index] = bytes;
  }
}

void Tokenizer::AddAddedTokens(const std::unordered_map<std::string, int32_t>& vocabulary) {
  const std::filesystem::path file = folder_ / "tokenizer_config.json";
  added_tokens_ = ReadAddedTokens(file);
  for (const AddedToken& added : added_tokens_) {
    const auto index = static_cast<size_t>(added.id);
    const std::string name = "the added token " + Quote(added.text) + " with the id ";
    if (index >= token_bytes_.size()) token_bytes_.resize(index + 1);
    if (!token_bytes_[index].empty() && token_bytes_[index] != added.text) {
      ThrowCorrupt(file, "has " + name + std::to_string(added.id) + ", which vocab.json gives to " +
                             Quote(token_bytes_[index]));
    }
    const auto ordinary = vocabulary.find(added.text);
    if (ordinary != vocabulary.end() && ordinary->second != added.id) {
      ThrowCorrupt(file, "has " + name + std::to_string(added.id) + ", for which vocab.json has " +
                             std::to_string(ordinary->second));
    }
    if (added.text.size() == 1) {
      ThrowCorrupt(file, "has " + name + std::to_string(added.id) +
                             ", which any text with this byte would spell");
    }
    token_bytes_[index] = added.text;
    starts_added_token_[static_cast<unsigned char>(added.text[0])] = true;
  }
  is_added_.resize(token_bytes_.size());
  is_special_.resize(token_bytes_.size());
  for (const AddedToken& added : added_tokens_) {
    is_added_[static_cast<size_t>(added.id)] = true;
    is_special_[static_cast<size_t>(added.id)] = added.special;
  }
}

void Tokenizer::AddMerges(const std::unordered_map<std::string, int32_t>& vocabulary) {
  const std::filesystem::path file = folder_ / "merges.txt";
  size_t number = 0;
  for (const auto& merge : ReadMerges(file)) {
    const std::string& left = merge.first;
    const std::string& right = merge.second;
    ++number;
    const auto name = [&] {
      return "has as merge " + std::to_string(number) + " the pair " + Quote(left) + " and " +
             Quote(right);
    };
    const auto find = [&](const std::string& bytes) {
      const auto found = vocabulary.find(bytes);
      if (found == vocabulary.end()) {
        ThrowCorrupt(file, name() + ", but vocab.json has no token " + Quote(bytes));
      }
      return found->second;
    };
    const int32_t left_id = find(left), right_id = find(right), result = find(left + right);
    if (is_added_[static_cast<size_t>(result)]) {
      ThrowCorrupt(file, name() + ", which makes an added token out of ordinary text");
    }
    if (!bpe_.AddMerge(left_id, right_id, result)) ThrowCorrupt(file, name() + " a second time");
  }
}

const AddedToken* Tokenizer::AddedTokenAt(std::string_view text) const {
  if (!starts_added_token_[static_cast<unsigned char>(text[0])]) return nullptr;
  const auto found =
      std::find_if(added_tokens_.begin(), added_tokens_.end(),
                   [text](const AddedToken& added) { return text.starts_with(added.text); });
  return found == added_tokens_.end() ? nullptr : &*found;
}

void Tokenizer::EncodePlain(std::string_view text, std::vector<int32_t>& ids) const {
  if (text.empty()) return;
  const std::string normalized = NormalizeNfc(text);
  bpe_.Encode(splitter_.Split(normalized), ids);
}

std::vector<int32_t> Tokenizer::Encode(std::string_view text, Specials specials) const {
  if (text.size() >= kMaxTextBytes) {
    throw Error(ErrorKind::kTooLarge, "The text has " + std::to_string(text.size()) +
                                          " bytes, which is not below the limit of " +
                                          std::to_string(kMaxTextBytes) + ".");
  }
  std::string replaced;
  if (!IsValidUtf8(text)) {
    replaced = ReplaceInvalidUtf8(text);
    text = replaced;
  }
  std::vector<int32_t> ids;
  if (specials == Specials::kPlain) {
    EncodePlain(text, ids);
    return ids;
  }
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const AddedToken* added = AddedTokenAt(text.substr(at));
    if (added == nullptr) {
      ++at;
      continue;
    }
    EncodePlain(text.substr(done, at - done), ids);
    ids.push_back(added->id);
    at += added->text.size();
    done = at;
  }
  EncodePlain(text.substr(done), ids);
  return ids;
}

std::string Tokenizer::TokenBytes(int32_t id) const {
  if (id < 0 || id >= size()) return "";
  return token_bytes_[static_cast<size_t>(id)];
}

bool Tokenizer::IsSpecial(int32_t id) const {
  return id >= 0 && id < size() && is_special_[static_cast<size_t>(id)];
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool skip_specials) const {
  std::string bytes;
  for (const int32_t id : ids) {
    if (id < 0 || id >= size() || (skip_specials && IsSpecial(id))) continue;
    bytes += token_bytes_[static_cast<size_t>(id)];
  }
  return ReplaceInvalidUtf8(bytes);
}

int32_t Tokenizer::SpecialId(std::string_view text) const {
  const auto found = std::find_if(added_tokens_.begin(), added_tokens_.end(),
                                  [text](const AddedToken& added) { return added.text == text; });
  if (found == added_tokens_.end()) {
    ThrowCorrupt(folder_ / "tokenizer_config.json", "has no added token " + Quote(text));
  }
  return found->id;
}

}  // namespace bagel
