#include "formats/sixel.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace bagel {
namespace {

constexpr int kLevels = 6;  // of each primary colour
constexpr int kColours = kLevels * kLevels * kLevels;
constexpr int kBand = 6;  // rows of one line of characters

// The nearest colour.
int ColourAt(const Picture& picture, int x, int y) {
  const uint8_t* rgb =
      picture.rgb.data() +
      3 * (static_cast<size_t>(y) * static_cast<size_t>(picture.width) + static_cast<size_t>(x));
  const auto level = [](int value) { return (value * (kLevels - 1) + 127) / 255; };
  return (level(rgb[0]) * kLevels + level(rgb[1])) * kLevels + level(rgb[2]);
}

}  // namespace

std::string EncodeSixel(const Picture& picture) {
  std::string text = "\x1bPq\"1;1;" + std::to_string(picture.width) + ";" +
                     std::to_string(picture.height);  // square pixels, and how many
  const auto select = [&](int colour) { text.append("#").append(std::to_string(colour)); };
  for (int i = 0; i < kColours; ++i) {
    select(i);
    constexpr int kPercent = 100 / (kLevels - 1);
    for (const int value : {2, i / (kLevels * kLevels) * kPercent, i / kLevels % kLevels * kPercent,
                            i % kLevels * kPercent})
      text.append(";").append(std::to_string(value));
  }
  for (int top = 0; top < picture.height; top += kBand) {
    std::array<std::string, kColours> lines;  // each colour's share of the band
    for (int x = 0; x < picture.width; ++x) {
      for (int y = top; y < std::min(top + kBand, picture.height); ++y) {
        std::string& line = lines[static_cast<size_t>(ColourAt(picture, x, y))];
        line.resize(static_cast<size_t>(picture.width), '?');
        char& column = line[static_cast<size_t>(x)];
        column = static_cast<char>(column + (1 << (y - top)));
      }
    }
    for (int i = 0; i < kColours; ++i) {
      const std::string& line = lines[static_cast<size_t>(i)];
      if (line.empty()) continue;
      select(i);
      text.append(line).append("$");
    }
    text += "-";
  }
  return text + "\x1b\\";
}

}  // namespace bagel
