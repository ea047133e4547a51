#include "formats/base64.h"

#include <array>
#include <cstdint>

#include "base/error.h"

namespace bagel {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kInvalid = 0xFF;

constexpr std::array<uint8_t, 256> MakeDigits() {
  std::array<uint8_t, 256> digits{};
  digits.fill(kInvalid);
  for (uint8_t value = 0; value < 64; ++value) {
    digits[static_cast<unsigned char>(kAlphabet[value])] = value;
  }
  return digits;
}

constexpr std::array<uint8_t, 256> kDigits = MakeDigits();

uint8_t Digit(char c) { return kDigits[static_cast<unsigned char>(c)]; }

[[noreturn]] void FailAt(size_t position) {
  throw Error(ErrorKind::kInvalidArgument,
              "illegal base64 data at input byte " + std::to_string(position));
}

size_t SkipLineEnds(std::string_view text, size_t position) {
  while (position < text.size() && (text[position] == '\r' || text[position] == '\n')) ++position;
  return position;
}

// Checks everything from the '=' at `position` on, which follows `digits` digits of a group of
// four. The positions in errors are Go's, whose byte N for a missing second '=' is the one before.
void CheckPadding(std::string_view text, size_t position, int digits) {
  if (digits < 2) FailAt(position);
  size_t next = position + 1;
  if (digits == 2) {
    next = SkipLineEnds(text, next);
    if (next == text.size()) FailAt(next);
    if (text[next] != '=') FailAt(next - 1);
    ++next;
  }
  next = SkipLineEnds(text, next);
  if (next != text.size()) FailAt(next);
}

// Decodes whole groups of four digits up to the first that holds anything else.
size_t DecodeWholeGroups(std::string_view text, size_t position, std::byte*& out) {
  while (text.size() - position >= 4) {
    const uint8_t a = Digit(text[position]);
    const uint8_t b = Digit(text[position + 1]);
    const uint8_t c = Digit(text[position + 2]);
    const uint8_t d = Digit(text[position + 3]);
    if (((a | b | c | d) & 0x80) != 0) break;
    *out++ = static_cast<std::byte>((a << 2) | (b >> 4));
    *out++ = static_cast<std::byte>(((b << 4) | (c >> 2)) & 0xFF);
    *out++ = static_cast<std::byte>(((c << 6) | d) & 0xFF);
    position += 4;
  }
  return position;
}

}  // namespace

std::vector<std::byte> DecodeBase64(std::string_view text) {
  std::vector<std::byte> bytes(text.size() / 4 * 3 + 3);
  std::byte* out = bytes.data();
  uint32_t group = 0;
  int digits = 0;
  size_t position = 0;
  while (true) {
    if (digits == 0) position = DecodeWholeGroups(text, position, out);
    if (position == text.size()) break;
    const char c = text[position];
    if (c == '=') {
      CheckPadding(text, position, digits);
      group <<= 6 * (4 - digits);
      for (int i = 0; i < digits - 1; ++i) *out++ = static_cast<std::byte>(group >> (16 - 8 * i));
      digits = 0;
      break;
    }
    const uint8_t digit = Digit(c);
    if (digit != kInvalid) {
      group = (group << 6) | digit;
      if (++digits == 4) {
        for (int shift = 16; shift >= 0; shift -= 8)
          *out++ = static_cast<std::byte>(group >> shift);
        group = 0;
        digits = 0;
      }
    } else if (c != '\r' && c != '\n') {
      FailAt(position);
    }
    ++position;
  }
  if (digits != 0) FailAt(text.size() - static_cast<size_t>(digits));
  bytes.resize(static_cast<size_t>(out - bytes.data()));
  return bytes;
}

std::string EncodeBase64(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = (group << 8) | (j < count ? static_cast<uint32_t>(bytes[i + j]) : 0U);
    }
    text += kAlphabet[group >> 18];
    text += kAlphabet[(group >> 12) & 63];
    text += count > 1 ? kAlphabet[(group >> 6) & 63] : '=';
    text += count > 2 ? kAlphabet[group & 63] : '=';
  }
  return text;
}

std::string_view StripDataUrl(std::string_view text) {
  constexpr std::string_view kScheme = "data:";
  constexpr std::string_view kEncoding = ";base64";
  const auto equals_ignoring_case = [](std::string_view a, std::string_view lower) {
    if (a.size() != lower.size()) return false;
    for (size_t i = 0; i < a.size(); ++i) {
      const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] - 'A' + 'a') : a[i];
      if (c != lower[i]) return false;
    }
    return true;
  };
  if (!equals_ignoring_case(text.substr(0, kScheme.size()), kScheme)) return text;
  // No picture type has a longer name; a comma further on belongs to something else.
  const size_t comma = text.substr(0, 256).find(',');
  if (comma == std::string_view::npos || comma < kScheme.size() + kEncoding.size()) return text;
  const std::string_view encoding = text.substr(comma - kEncoding.size(), kEncoding.size());
  return equals_ignoring_case(encoding, kEncoding) ? text.substr(comma + 1) : text;
}

}  // namespace bagel
