#include "text/normalize.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/error.h"

namespace bagel {
namespace {

constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
// The longest canonical decomposition has 4 code points (U+1F82).
constexpr utf8proc_ssize_t kMaxDecomposition = 8;

auto CombiningClass(utf8proc_int32_t code_point) {
  return utf8proc_get_property(code_point)->combining_class;
}

// All text below U+0300, the first code point that starts with the byte 0xCC, is NFC already.
bool IsBelowMarks(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0xCC; });
}

std::vector<utf8proc_int32_t> Decompose(std::string_view text) {
  std::vector<utf8proc_int32_t> decomposed;
  decomposed.reserve(text.size());
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const auto size = static_cast<utf8proc_ssize_t>(text.size());
  for (utf8proc_ssize_t at = 0; at < size;) {
    utf8proc_int32_t code_point = 0;
    const utf8proc_ssize_t length = utf8proc_iterate(bytes + at, size - at, &code_point);
    CHECK(length > 0);
    at += length;
    std::array<utf8proc_int32_t, kMaxDecomposition> parts;
    int boundary_class = 0;
    const utf8proc_ssize_t count = utf8proc_decompose_char(
        code_point, parts.data(), kMaxDecomposition, kOptions, &boundary_class);
    CHECK(count > 0 && count <= kMaxDecomposition);
    decomposed.insert(decomposed.end(), parts.begin(), parts.begin() + count);
  }
  return decomposed;
}

// The canonical ordering algorithm. utf8proc_map has its own, which is quadratic in the length of a
// run of marks.
void SortMarks(std::vector<utf8proc_int32_t>& code_points) {
  const auto is_mark = [](utf8proc_int32_t c) { return CombiningClass(c) != 0; };
  const auto end = code_points.end();
  for (auto first = code_points.begin(); first != end;) {
    first = std::find_if(first, end, is_mark);
    const auto last = std::find_if_not(first, end, is_mark);
    if (last - first > 1) {
      std::stable_sort(first, last, [](utf8proc_int32_t a, utf8proc_int32_t b) {
        return CombiningClass(a) < CombiningClass(b);
      });
    }
    first = last;
  }
}

// utf8proc takes the vowel U+11A7 after a Hangul syllable for an empty final consonant and drops
// it. It composes with nothing, so the parts around it are composed each for itself.
std::vector<utf8proc_int32_t> Compose(std::vector<utf8proc_int32_t> code_points) {
  constexpr utf8proc_int32_t kVowelBeforeFinals = 0x11A7;
  std::vector<utf8proc_int32_t> composed;
  composed.reserve(code_points.size());
  utf8proc_int32_t* first = code_points.data();
  utf8proc_int32_t* const end = first + code_points.size();
  while (first != end) {
    utf8proc_int32_t* const last = std::find(first, end, kVowelBeforeFinals);
    const utf8proc_ssize_t length = utf8proc_normalize_utf32(first, last - first, kOptions);
    CHECK(length >= 0);
    composed.insert(composed.end(), first, first + length);
    first = last;
    if (first != end) composed.push_back(*first++);
  }
  return composed;
}

}  // namespace

std::string NormalizeNfc(std::string_view text) {
  if (IsBelowMarks(text)) return std::string(text);
  std::vector<utf8proc_int32_t> decomposed = Decompose(text);
  SortMarks(decomposed);
  std::string normalized;
  normalized.reserve(text.size());
  for (const utf8proc_int32_t code_point : Compose(std::move(decomposed))) {
    std::array<utf8proc_uint8_t, 4> bytes;
    const utf8proc_ssize_t count = utf8proc_encode_char(code_point, bytes.data());
    normalized.append(reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(count));
  }
  return normalized;
}

}  // namespace bagel
