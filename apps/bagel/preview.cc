#include "preview.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "formats/base64.h"
#include "formats/picture_file.h"
#include "formats/sixel.h"
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
    std::fputs((EncodeSixel(picture) + "\n").c_str(), stderr);
  } else {
    const std::string png = EncodeBase64(EncodePng(picture));
    way_ == Way::kKitty ? ShowKitty(png) : ShowIterm(png);
  }
  shown_ = true;
}

}  // namespace bagel
