#include "base/utf8.h"

#include <cstddef>

namespace bagel {
namespace {

struct Scan {
  size_t size;      // bytes consumed: a whole character, or a maximal invalid subpart
  bool valid;       // these bytes are a character
  bool incomplete;  // valid so far, but the input ended
};

// Table 3-7 of the Unicode standard: the range of the second byte depends on the first.
Scan ScanCharacter(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {1, true, false};
  size_t length = 0;
  unsigned low = 0x80, high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return {1, false, false};
  }
  for (size_t i = 1; i < length; ++i) {
    if (i == bytes.size()) return {i, false, true};
    if (byte(i) < low || byte(i) > high) return {i, false, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true, false};
}

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace

bool IsValidUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Scan scan = ScanCharacter(bytes);
    if (!scan.valid) return false;
    bytes.remove_prefix(scan.size);
  }
  return true;
}

std::string ReplaceInvalidUtf8(std::string_view bytes) {
  Utf8Stream stream;
  std::string text = stream.Push(bytes);
  text += stream.Finish();
  return text;
}

std::string Utf8Stream::Push(std::string_view bytes) {
  pending_.append(bytes);
  std::string_view rest = pending_;
  std::string out;
  while (!rest.empty()) {
    const Scan scan = ScanCharacter(rest);
    if (scan.incomplete) break;
    out.append(scan.valid ? rest.substr(0, scan.size) : kReplacement);
    rest.remove_prefix(scan.size);
  }
  pending_ = std::string(rest);
  return out;
}

std::string Utf8Stream::Finish() {
  const bool unfinished = !pending_.empty();
  pending_.clear();
  return unfinished ? std::string(kReplacement) : std::string();
}

}  // namespace bagel
