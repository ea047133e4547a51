// Reads back what EncodeSixel writes, as the VT340's manual tells a terminal to.
#include "formats/sixel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <vector>

namespace bagel {
namespace {

class SixelReader {
 public:
  explicit SixelReader(const std::string& text) : text_(text) {}

  Picture Read() {
    EXPECT_TRUE(text_.starts_with("\x1bPq"));
    EXPECT_TRUE(text_.ends_with("\x1b\\"));
    at_ = 3;
    while (at_ + 2 < text_.size()) Next();
    return picture_;
  }

 private:
  std::vector<int> Numbers() {
    std::vector<int> numbers;
    do {
      size_t digits = 0;
      numbers.push_back(std::stoi(text_.substr(at_), &digits));
      at_ += digits;
    } while (text_[at_] == ';' && ++at_ > 0);
    return numbers;
  }

  void Next() {
    const char c = text_[at_++];
    if (c == '"') {
      const std::vector<int> raster = Numbers();
      ASSERT_EQ(raster.size(), 4u);
      EXPECT_EQ(raster[0], raster[1]) << "pixels are not square";
      picture_ = {raster[2], raster[3],
                  std::vector<uint8_t>(static_cast<size_t>(3 * raster[2] * raster[3]), 1)};
    } else if (c == '#') {
      const std::vector<int> numbers = Numbers();
      colour_ = numbers[0];
      if (numbers.size() == 1) return;
      ASSERT_EQ(numbers.size(), 5u);
      ASSERT_EQ(numbers[1], 2) << "not RGB";
      for (size_t i = 0; i < 3; ++i) {
        ASSERT_LE(numbers[2 + i], 100);
        colours_[colour_][i] = static_cast<uint8_t>(numbers[2 + i] * 255 / 100);
      }
    } else if (c == '$') {
      x_ = 0;
    } else if (c == '-') {
      x_ = 0;
      top_ += 6;
    } else {
      ASSERT_GE(c, '?');
      ASSERT_LE(c, '~');
      for (int bit = 0; bit < 6; ++bit) {
        if ((c - '?') >> bit & 1) Paint(x_, top_ + bit);
      }
      ++x_;
    }
  }

  void Paint(int x, int y) {
    ASSERT_LT(x, picture_.width);
    ASSERT_LT(y, picture_.height);
    ASSERT_TRUE(colours_.contains(colour_));
    std::copy_n(colours_[colour_].data(), 3, picture_.rgb.data() + 3 * (y * picture_.width + x));
  }

  const std::string& text_;
  size_t at_ = 0;
  Picture picture_;
  std::map<int, std::array<uint8_t, 3>> colours_;
  int colour_ = 0, x_ = 0, top_ = 0;
};

TEST(Sixel, EveryPixelHasItsNearestColour) {
  for (const auto& [width, height] : {std::pair(50, 37), std::pair(1, 1), std::pair(24, 18)}) {
    Picture picture{width, height, {}};
    for (int i = 0; i < 3 * width * height; ++i)
      picture.rgb.push_back(static_cast<uint8_t>(i * i / 7 % 256));
    const std::string text = EncodeSixel(picture);
    const Picture shown = SixelReader(text).Read();
    ASSERT_EQ(shown.width, width);
    ASSERT_EQ(shown.height, height);
    for (size_t i = 0; i < picture.rgb.size(); ++i)
      ASSERT_LE(std::abs(picture.rgb[i] - shown.rgb[i]), 26) << i;  // half of 255 / 5
  }
}

}  // namespace
}  // namespace bagel
