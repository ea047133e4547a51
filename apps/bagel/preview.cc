#include "preview.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "formats/base64.h"
#include "formats/picture_file.h"
#include "terminal.h"

namespace bagel {
namespace {

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool OneOf(const std::string& value, std::initializer_list<std::string_view> known) {
  return std::find(known.begin(), known.end(), value) != known.end();
}

// The kitty graphics protocol: a PNG in pieces of at most 4096 characters.
void ShowKitty(const std::string& png) {
  constexpr size_t kPiece = 4096;
  for (size_t at = 0; at < png.size(); at += kPiece) {
    const bool last = at + kPiece >= png.size();
    std::fprintf(stderr, "\x1b_G%sm=%d;%s\x1b\\", at == 0 ? "a=T,f=100,q=2," : "", last ? 0 : 1,
                 png.substr(at, kPiece).c_str());
  }
  std::fputs("\n", stderr);
}

void ShowIterm(const std::string& png) {
  std::fprintf(stderr, "\x1b]1337;File=inline=1:%s\a\n", png.c_str());
}

// The nearest of 6 x 6 x 6 colours.
int SixelColour(const Picture& picture, int x, int y) {
  const uint8_t* rgb =
      picture.rgb.data() +
      3 * (static_cast<size_t>(y) * static_cast<size_t>(picture.width) + static_cast<size_t>(x));
  const auto level = [](int value) { return (value * 5 + 127) / 255; };
  return (level(rgb[0]) * 6 + level(rgb[1])) * 6 + level(rgb[2]);
}

// DEC's sixels: bands of six rows, each colour's share of a band as one line of characters.
void ShowSixel(const Picture& picture) {
  constexpr int kColours = 216, kBand = 6;
  std::string text = "\x1bPq";
  const auto select = [&](int colour) { text.append("#").append(std::to_string(colour)); };
  for (int i = 0; i < kColours; ++i) {
    select(i);
    for (const int value : {2, i / 36 * 20, i / 6 % 6 * 20, i % 6 * 20})
      text.append(";").append(std::to_string(value));
  }
  for (int top = 0; top < picture.height; top += kBand) {
    std::array<std::string, kColours> lines;
    for (int x = 0; x < picture.width; ++x) {
      for (int y = top; y < std::min(top + kBand, picture.height); ++y) {
        std::string& line = lines[static_cast<size_t>(SixelColour(picture, x, y))];
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
  std::fputs((text + "\x1b\\\n").c_str(), stderr);
}

}  // namespace

std::string PreviewName(const std::string& name) { return name + ".preview.png"; }

PreviewShower::Way PreviewShower::FindWay() {
  const std::string term = Environment("TERM"), program = Environment("TERM_PROGRAM");
  if (!IsTerminal(stderr)) {
    return Way::kFile;
  }
  if (!Environment("KITTY_WINDOW_ID").empty() || OneOf(term, {"xterm-kitty", "xterm-ghostty"})) {
    return Way::kKitty;
  }
  if (OneOf(program, {"iTerm.app", "WezTerm"})) {
    return Way::kIterm;
  }
  const bool sixel = OneOf(term, {"foot", "mlterm", "contour", "yaft-256color"}) ||
                     term.find("sixel") != std::string::npos;
  return sixel ? Way::kSixel : Way::kFile;
}

PreviewShower::PreviewShower(const std::string& name) : file_(PreviewName(name)) {}

PreviewShower::~PreviewShower() {
  if (shown_ && way_ == Way::kFile) {
    std::error_code error;
    std::filesystem::remove(file_, error);
  }
}

void PreviewShower::Show(const Picture& picture) {
  if (way_ == Way::kFile) {
    WritePicture(file_, picture, {}, /*force=*/true);
    if (!shown_) {
      std::fprintf(stderr, "the current guess is in %s\n", file_.c_str());
    }
  } else if (way_ == Way::kSixel) {
    ShowSixel(picture);
  } else {
    const std::string png = EncodeBase64(EncodePng(picture));
    way_ == Way::kKitty ? ShowKitty(png) : ShowIterm(png);
  }
  shown_ = true;
}

}  // namespace bagel
