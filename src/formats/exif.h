// The orientation of a photo, from its EXIF data.
#ifndef BAGEL_FORMATS_EXIF_H_
#define BAGEL_FORMATS_EXIF_H_

#include <cstddef>
#include <span>

#include "formats/picture.h"

namespace bagel {

// Reads tag 0x0112 of the first directory of EXIF data (a TIFF stream, with or without "Exif\0\0"
// in front). Returns 1 to 8; 1, upright, when the tag is missing or anything is broken.
int ExifOrientation(std::span<const std::byte> exif);

// Turns or mirrors the picture so that orientation 1..8 becomes upright, as Pillow's
// ImageOps.exif_transpose does.
Picture Upright(Picture picture, int orientation);

}  // namespace bagel

#endif  // BAGEL_FORMATS_EXIF_H_
