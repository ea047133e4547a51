// The three picture formats behind formats/picture.h, and what they share. For use inside formats/.
#ifndef BAGEL_FORMATS_PICTURE_CODECS_H_
#define BAGEL_FORMATS_PICTURE_CODECS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "formats/picture.h"

namespace bagel {

// Each expects bytes that begin with its format's signature.
Picture DecodePng(std::span<const std::byte> bytes, const PictureLimits& limits);
Picture DecodeJpeg(std::span<const std::byte> bytes, const PictureLimits& limits);
Picture DecodeWebp(std::span<const std::byte> bytes, const PictureLimits& limits);

// Throws Error(kind, "invalid image: " + why).
[[noreturn]] void FailPicture(ErrorKind kind, const std::string& why);

// Throws kTooLarge when the size passes a limit, kCorrupt when a side is 0.
void CheckPictureSize(uint64_t width, uint64_t height, const PictureLimits& limits);

// RGBA pixels over white, in place: `pixels` shrinks from 4 to 3 bytes a pixel.
void PasteOnWhite(std::vector<uint8_t>& pixels);

// A picture handed to an encoder has positive sides and rgb of width * height * 3 bytes.
void CheckEncodable(const Picture& picture);

}  // namespace bagel

#endif  // BAGEL_FORMATS_PICTURE_CODECS_H_
