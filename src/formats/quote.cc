#include "formats/quote.h"

#include "base/utf8.h"

namespace bagel {

std::string Quote(std::string_view text, size_t max_bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  size_t kept = text.size();
  if (kept > max_bytes) {
    kept = max_bytes;
    // Not in the middle of a character: bytes 10xxxxxx continue one.
    while (kept > 0 && (static_cast<unsigned char>(text[kept]) & 0xC0U) == 0x80U) --kept;
  }
  std::string quoted = "\"";
  for (const char c : ReplaceInvalidUtf8(text.substr(0, kept))) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      quoted += {'\\', 'x', kHex[byte >> 4], kHex[byte & 0x0F]};
    } else {
      quoted += c;
    }
  }
  quoted += '"';
  if (kept < text.size()) quoted += "... (" + std::to_string(text.size()) + " bytes)";
  return quoted;
}

}  // namespace bagel
