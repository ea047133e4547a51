#include "formats/exif.h"

#include <cstring>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace bagel {
namespace {

// Numbers of a TIFF stream in its byte order; reading past the end gives 0.
class TiffReader {
 public:
  TiffReader(std::span<const std::byte> bytes, bool big_endian)
      : bytes_(bytes), big_endian_(big_endian) {}

  uint32_t Read(size_t offset, size_t count) const {
    if (offset > bytes_.size() || bytes_.size() - offset < count) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      const size_t index = big_endian_ ? offset + i : offset + count - 1 - i;
      value = (value << 8) | static_cast<uint32_t>(bytes_[index]);
    }
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  bool big_endian_;
};

bool StartsWith(std::span<const std::byte> bytes, std::string_view prefix) {
  return bytes.size() >= prefix.size() &&
         std::memcmp(bytes.data(), prefix.data(), prefix.size()) == 0;
}

}  // namespace

int ExifOrientation(std::span<const std::byte> exif) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  constexpr uint32_t kOrientationTag = 0x0112;
  constexpr uint32_t kShort = 3;
  constexpr uint32_t kLong = 4;
  constexpr size_t kEntryBytes = 12;
  if (StartsWith(exif, kPrefix)) exif = exif.subspan(kPrefix.size());
  const bool big_endian = StartsWith(exif, "MM");
  if (!big_endian && !StartsWith(exif, "II")) return 1;
  const TiffReader tiff(exif, big_endian);
  if (tiff.Read(2, 2) != 42) return 1;
  const size_t directory = tiff.Read(4, 4);
  const size_t entries = tiff.Read(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (tiff.Read(entry, 2) != kOrientationTag) continue;
    const uint32_t type = tiff.Read(entry + 2, 2);
    if ((type != kShort && type != kLong) || tiff.Read(entry + 4, 4) != 1) return 1;
    const uint32_t value = tiff.Read(entry + 8, type == kShort ? 2 : 4);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Picture Upright(Picture picture, int orientation) {
  CHECK(orientation >= 1 && orientation <= 8);
  if (orientation == 1) return picture;
  // Orientations 5 to 8 exchange rows and columns.
  const bool transposed = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Picture upright;
  upright.width = transposed ? picture.height : picture.width;
  upright.height = transposed ? picture.width : picture.height;
  upright.rgb.resize(picture.rgb.size());
  uint8_t* out = upright.rgb.data();
  for (int y = 0; y < upright.height; ++y) {
    for (int x = 0; x < upright.width; ++x) {
      int source_x = transposed ? y : x;
      int source_y = transposed ? x : y;
      if (from_right) source_x = picture.width - 1 - source_x;
      if (from_bottom) source_y = picture.height - 1 - source_y;
      const size_t source = (static_cast<size_t>(source_y) * static_cast<size_t>(picture.width) +
                             static_cast<size_t>(source_x)) *
                            3;
      for (size_t channel = 0; channel < 3; ++channel) *out++ = picture.rgb[source + channel];
    }
  }
  return upright;
}

}  // namespace bagel
