#include "text/tokenizer_files.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "formats/json.h"
#include "formats/mapped_file.h"
#include "formats/quote.h"

namespace bagel {
namespace {

constexpr size_t kMaxVocabularyBytes = size_t{64} << 20;
constexpr size_t kMaxMergesBytes = size_t{64} << 20;
constexpr size_t kMaxConfigBytes = size_t{8} << 20;
constexpr size_t kMaxAddedTokens = 4096;
constexpr size_t kMaxAddedTokenBytes = 1024;

std::string_view Content(const MappedFile& file, size_t max_bytes) {
  const std::span<const std::byte> bytes = file.bytes();
  if (bytes.size() > max_bytes) {
    throw Error(ErrorKind::kTooLarge, file.path() + " has " + std::to_string(bytes.size()) +
                                          " bytes, more than the limit of " +
                                          std::to_string(max_bytes) + ".");
  }
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// GPT-2's printable stand-ins: printable Latin-1 characters are themselves, the other 68 bytes are
// U+0100 and on, in order. `bytes[c]` is the byte of code point c, -1 for none.
constexpr size_t kStandIns = 0x100 + 68;
std::array<int, kStandIns> MakeStandIns() {
  std::array<int, kStandIns> bytes;
  bytes.fill(-1);
  size_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    bytes[printable ? static_cast<size_t>(byte) : next++] = byte;
  }
  return bytes;
}

// The bytes of a token written in stand-ins, or nothing if it holds another character. All
// stand-ins have one or two UTF-8 bytes.
std::optional<std::string> BytesOf(std::string_view token) {
  static const std::array<int, kStandIns> stand_ins = MakeStandIns();
  std::string bytes;
  for (size_t i = 0; i < token.size(); ++i) {
    size_t code_point = static_cast<unsigned char>(token[i]);
    if (code_point >= 0x80) {
      if (code_point < 0xC2 || code_point > 0xDF || ++i == token.size()) return std::nullopt;
      const size_t second = static_cast<unsigned char>(token[i]);
      if (second < 0x80 || second > 0xBF) return std::nullopt;
      code_point = (code_point & 0x1F) << 6 | (second & 0x3F);
    }
    if (code_point >= kStandIns || stand_ins[code_point] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(stand_ins[code_point]));
  }
  return bytes;
}

// Takes vocab.json as it is read: no tree of a hostile file is built, and a name that comes twice
// is seen.
class VocabularyHandler : public nlohmann::json_sax<Json> {
 public:
  explicit VocabularyHandler(const std::filesystem::path& file) : file_(file) {}

  std::unordered_map<std::string, int32_t> Take() { return std::move(ids_); }

  bool start_object(std::size_t) override {
    if (std::exchange(inside_, true)) Reject("an object");
    return true;
  }
  bool key(string_t& name) override {
    name_ = name;
    return true;
  }
  bool number_unsigned(number_unsigned_t id) override {
    if (!inside_) Reject("a number");
    if (id >= static_cast<number_unsigned_t>(kMaxTokenId)) RejectId(std::to_string(id));
    std::optional<std::string> bytes = BytesOf(name_);
    if (!bytes || bytes->empty()) {
      ThrowCorrupt(file_, "has the token " + Quote(name_) +
                              ", which is not written in the byte-level alphabet");
    }
    if (used_.size() <= id) used_.resize(id + 1);
    if (used_[id]) ThrowCorrupt(file_, "gives the id " + std::to_string(id) + " twice");
    used_[id] = true;
    if (!ids_.emplace(*std::move(bytes), static_cast<int32_t>(id)).second) {
      ThrowCorrupt(file_, "has the token " + Quote(name_) + " twice");
    }
    return true;
  }
  bool number_integer(number_integer_t id) override { RejectId(std::to_string(id)); }
  bool number_float(number_float_t, const string_t& text) override { RejectId(text); }
  bool null() override { Reject("null"); }
  bool boolean(bool) override { Reject("a truth value"); }
  bool string(string_t&) override { Reject("a string"); }
  bool binary(binary_t&) override { Reject("binary data"); }
  bool start_array(std::size_t) override { Reject("an array"); }
  bool end_object() override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    ThrowCorrupt(file_, "is not valid JSON at byte " + std::to_string(position));
  }

 private:
  [[noreturn]] void Reject(const std::string& what) const {
    if (!inside_) ThrowCorrupt(file_, "holds " + what + " where an object is expected");
    ThrowCorrupt(file_, "has " + what + " for the token " + Quote(name_) + " instead of an id");
  }
  [[noreturn]] void RejectId(const std::string& id) const {
    if (!inside_) Reject("a number");
    ThrowCorrupt(file_, "has the id " + id.substr(0, 40) + " for the token " + Quote(name_) +
                            ", which is not a whole number from 0 to " +
                            std::to_string(kMaxTokenId - 1));
  }

  const std::filesystem::path& file_;
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<bool> used_;
  std::string name_;
  bool inside_ = false;
};

int32_t ParseAddedId(const std::filesystem::path& file, const std::string& key) {
  int32_t id = -1;
  const char* end = key.data() + key.size();
  const auto [stop, error] = std::from_chars(key.data(), end, id);
  const bool canonical = error == std::errc() && stop == end && std::to_string(id) == key;
  if (!canonical || id < 0 || id >= kMaxTokenId) {
    ThrowCorrupt(file, "has the added token id " + Quote(key) +
                           ", which is not a whole number from 0 to " +
                           std::to_string(kMaxTokenId - 1));
  }
  return id;
}

bool ReadFlag(const std::filesystem::path& file, const std::string& key, const Json& token,
              const char* flag) {
  const auto found = token.find(flag);
  if (found == token.end()) return false;
  if (!found->is_boolean()) {
    ThrowCorrupt(file, "has a value of the type " + std::string(found->type_name()) + " for " +
                           flag + " of the added token " + key + " instead of true or false");
  }
  return found->get<bool>();
}

AddedToken ReadAddedToken(const std::filesystem::path& file, const std::string& key,
                          const Json& token) {
  AddedToken added{ParseAddedId(file, key), "", false};
  const auto content = token.find("content");
  if (!token.is_object() || content == token.end() || !content->is_string()) {
    ThrowCorrupt(file, "has no content for the added token " + key);
  }
  added.text = content->get<std::string>();
  if (added.text.empty() || added.text.size() > kMaxAddedTokenBytes) {
    ThrowCorrupt(file, "has a content of " + std::to_string(added.text.size()) +
                           " bytes for the added token " + key + ", not 1 to " +
                           std::to_string(kMaxAddedTokenBytes));
  }
  for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
    if (!ReadFlag(file, key, token, flag)) continue;
    throw Error(ErrorKind::kUnsupported, file.string() + " sets " + flag + " for the added token " +
                                             Quote(added.text) + ", which is not supported.");
  }
  added.special = ReadFlag(file, key, token, "special");
  return added;
}

}  // namespace

void ThrowCorrupt(const std::filesystem::path& file, const std::string& what) {
  throw Error(ErrorKind::kCorrupt, file.string() + " " + what + ".");
}

std::unordered_map<std::string, int32_t> ReadVocabulary(const std::filesystem::path& file) {
  VocabularyHandler handler(file);
  const MappedFile mapped(file.string());
  Json::sax_parse(Content(mapped, kMaxVocabularyBytes), &handler);
  return handler.Take();
}

std::vector<std::pair<std::string, std::string>> ReadMerges(const std::filesystem::path& file) {
  const MappedFile mapped(file.string());
  std::vector<std::pair<std::string, std::string>> merges;
  std::string_view rest = Content(mapped, kMaxMergesBytes);
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t length = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, length);
    rest.remove_prefix(std::min(length + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (number == 1 && line.starts_with("#version:"))) continue;
    const size_t space = line.find(' ');
    std::optional<std::string> left, right;
    if (space != std::string_view::npos) {
      left = BytesOf(line.substr(0, space));
      right = BytesOf(line.substr(space + 1));
    }
    if (!left || !right || left->empty() || right->empty()) {
      ThrowCorrupt(file, "has line " + std::to_string(number) + ", " + Quote(line) +
                             ", which is not two tokens in the byte-level alphabet");
    }
    merges.emplace_back(*std::move(left), *std::move(right));
  }
  return merges;
}

std::vector<AddedToken> ReadAddedTokens(const std::filesystem::path& file) {
  const Json config = ReadJsonFile(file.string(), {.max_bytes = kMaxConfigBytes});
  if (!config.is_object()) ThrowCorrupt(file, "is not a JSON object");
  std::vector<AddedToken> tokens;
  const auto decoder = config.find("added_tokens_decoder");
  if (decoder == config.end()) return tokens;
  if (!decoder->is_object()) ThrowCorrupt(file, "has added_tokens_decoder that is not an object");
  if (decoder->size() > kMaxAddedTokens) {
    ThrowCorrupt(file, "has " + std::to_string(decoder->size()) + " added tokens, more than " +
                           std::to_string(kMaxAddedTokens));
  }
  std::unordered_set<std::string> texts;
  for (const auto& [key, token] : decoder->items()) {
    tokens.push_back(ReadAddedToken(file, key, token));
    if (!texts.insert(tokens.back().text).second) {
      ThrowCorrupt(file, "has the added token " + Quote(tokens.back().text) + " twice");
    }
  }
  std::stable_sort(tokens.begin(), tokens.end(), [](const AddedToken& a, const AddedToken& b) {
    return a.text.size() > b.text.size();
  });
  return tokens;
}

}  // namespace bagel
