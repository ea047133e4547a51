// Picture files <-> 8-bit RGB.
#ifndef BAGEL_FORMATS_PICTURE_H_
#define BAGEL_FORMATS_PICTURE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bagel {

// `rgb` is [height, width, 3], rows from the top, without padding.
struct Picture {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;
};

// Checked on the header, before any pixel is decoded.
struct PictureLimits {
  size_t max_bytes = size_t{256} << 20;
  int max_side = 65535;
  int64_t max_pixels = 64'000'000;
};

// Decodes a PNG, JPEG or WebP file, told apart by content, as Pillow would show it in RGB:
//  - the EXIF orientation is applied;
//  - alpha, a transparent palette or a transparent colour is pasted on white (Pillow's
//    Image.paste with a mask, the same rounding);
//  - 16-bit samples keep their high byte, grey is replicated, CMYK and YCCK convert by Pillow's
//    formula, colour profiles are ignored;
//  - of an animation, the first frame on its canvas.
// Bytes after the picture are ignored. Throws "invalid image: <why>" as kTooLarge past a limit,
// kCorrupt for unknown, broken or cut-off data.
Picture DecodePicture(std::span<const std::byte> bytes, const PictureLimits& limits = {});

// Texts stored beside the pixels: key (1 to 79 printable ASCII characters) and UTF-8 value.
using PictureTexts = std::vector<std::pair<std::string, std::string>>;

// 8-bit RGB PNG with one iTXt chunk per text.
std::vector<std::byte> EncodePng(const Picture& picture, const PictureTexts& texts = {});

// The texts of a PNG file's uncompressed iTXt chunks; none for other files. Throws kCorrupt for a
// PNG file that is cut off.
PictureTexts ReadPngTexts(std::span<const std::byte> bytes);

// Baseline JPEG with 4:2:0 chroma; `quality` from 1 to 100. Throws kTooLarge past 65500 pixels a
// side.
std::vector<std::byte> EncodeJpeg(const Picture& picture, int quality);

// Lossy WebP; `quality` from 0 to 100. Throws kTooLarge past 16383 pixels a side.
std::vector<std::byte> EncodeWebp(const Picture& picture, int quality);

}  // namespace bagel

#endif  // BAGEL_FORMATS_PICTURE_H_
