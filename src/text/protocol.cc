#include "text/protocol.h"

#include <algorithm>

namespace bagel {
namespace {

// The length of the longest end of `text` that begins `tag`. '<' stands only at a tag's beginning,
// so the last one decides.
size_t UnfinishedTag(std::string_view text, std::string_view tag) {
  const size_t last = text.rfind(tag[0]);
  if (last == std::string_view::npos || !tag.starts_with(text.substr(last))) return 0;
  return text.size() - last;
}

}  // namespace

ProtocolIds ProtocolIds::From(const Tokenizer& tokenizer) {
  return {.im_start = tokenizer.SpecialId("<|im_start|>"),
          .im_end = tokenizer.SpecialId("<|im_end|>"),
          .vision_start = tokenizer.SpecialId("<|vision_start|>"),
          .vision_end = tokenizer.SpecialId("<|vision_end|>"),
          .endoftext = tokenizer.SpecialId("<|endoftext|>")};
}

std::vector<int32_t> WrapText(const ProtocolIds& protocol, std::span<const int32_t> ids) {
  std::vector<int32_t> wrapped;
  wrapped.reserve(ids.size() + 2);
  wrapped.push_back(protocol.im_start);
  wrapped.insert(wrapped.end(), ids.begin(), ids.end());
  wrapped.push_back(protocol.im_end);
  return wrapped;
}

ThinkSplitter::Parts ThinkSplitter::Push(std::string_view text) {
  held_.append(text);
  Parts parts;
  std::string_view rest = held_;
  while (true) {
    const std::string_view tag = thinking_ ? "</think>" : "<think>";
    const size_t found = rest.find(tag);
    if (found == std::string_view::npos) {
      const size_t held = UnfinishedTag(rest, tag);
      Emit(rest.substr(0, rest.size() - held), parts);
      held_ = std::string(rest.substr(rest.size() - held));
      return parts;
    }
    Emit(rest.substr(0, found), parts);
    rest.remove_prefix(found + tag.size());
    drop_space_ = thinking_;
    thinking_ = !thinking_;
  }
}

ThinkSplitter::Parts ThinkSplitter::Finish() {
  Parts parts;
  Emit(held_, parts);
  *this = ThinkSplitter();
  return parts;
}

void ThinkSplitter::Emit(std::string_view text, Parts& parts) {
  if (thinking_) {
    parts.thinking.append(text);
    return;
  }
  if (drop_space_) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    drop_space_ = text.empty();
  }
  parts.answer.append(text);
}

}  // namespace bagel
