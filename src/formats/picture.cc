#include "formats/picture.h"

#include <cstring>
#include <string_view>

#include "formats/picture_codecs.h"

namespace bagel {
namespace {

bool HasAt(std::span<const std::byte> bytes, size_t offset, std::string_view signature) {
  return bytes.size() >= offset + signature.size() &&
         std::memcmp(bytes.data() + offset, signature.data(), signature.size()) == 0;
}

// a / 255, rounded, as Pillow's MULDIV255 does it.
unsigned DivideBy255(unsigned a) {
  a += 128;
  return ((a >> 8) + a) >> 8;
}

}  // namespace

Picture DecodePicture(std::span<const std::byte> bytes, const PictureLimits& limits) {
  if (bytes.size() > limits.max_bytes) {
    FailPicture(ErrorKind::kTooLarge, std::to_string(bytes.size()) +
                                          " bytes, more than the limit of " +
                                          std::to_string(limits.max_bytes));
  }
  if (HasAt(bytes, 0, "\x89PNG\r\n\x1A\n")) return DecodePng(bytes, limits);
  if (HasAt(bytes, 0, "\xFF\xD8\xFF")) return DecodeJpeg(bytes, limits);
  if (HasAt(bytes, 0, "RIFF") && HasAt(bytes, 8, "WEBP")) return DecodeWebp(bytes, limits);
  FailPicture(ErrorKind::kCorrupt, bytes.empty() ? "it is empty"
                                                 : "its " + std::to_string(bytes.size()) +
                                                       " bytes are not a PNG, JPEG or WebP file");
}

void FailPicture(ErrorKind kind, const std::string& why) {
  throw Error(kind, "invalid image: " + why);
}

void CheckPictureSize(uint64_t width, uint64_t height, const PictureLimits& limits) {
  const std::string size = std::to_string(width) + "x" + std::to_string(height);
  if (width == 0 || height == 0) FailPicture(ErrorKind::kCorrupt, "its size is " + size);
  const uint64_t max_side = static_cast<uint64_t>(limits.max_side);
  if (width > max_side || height > max_side) {
    FailPicture(ErrorKind::kTooLarge, "its size is " + size + ", more than the limit of " +
                                          std::to_string(max_side) + " a side");
  }
  if (width * height > static_cast<uint64_t>(limits.max_pixels)) {
    FailPicture(ErrorKind::kTooLarge, "its size is " + size + ", more than the limit of " +
                                          std::to_string(limits.max_pixels) + " pixels");
  }
}

void PasteOnWhite(std::vector<uint8_t>& pixels) {
  CHECK(pixels.size() % 4 == 0);
  const size_t count = pixels.size() / 4;
  for (size_t i = 0; i < count; ++i) {
    const unsigned alpha = pixels[i * 4 + 3];
    for (size_t channel = 0; channel < 3; ++channel) {
      const unsigned value = pixels[i * 4 + channel];
      pixels[i * 3 + channel] =
          static_cast<uint8_t>(DivideBy255(255 * (255 - alpha) + value * alpha));
    }
  }
  pixels.resize(count * 3);
}

void CheckEncodable(const Picture& picture) {
  CHECK(picture.width > 0 && picture.height > 0);
  CHECK(picture.rgb.size() ==
        static_cast<size_t>(picture.width) * static_cast<size_t>(picture.height) * 3);
}

}  // namespace bagel
