// Pictures as files.
#ifndef BAGEL_FORMATS_PICTURE_FILE_H_
#define BAGEL_FORMATS_PICTURE_FILE_H_

#include <string>

#include "formats/picture.h"

namespace bagel {

// Throws kUnsupported unless the name ends in .png, .jpg, .jpeg or .webp.
void CheckPictureName(const std::string& path);
// Throws kUnavailable where WritePicture could put no file, kInvalidArgument where a folder has the
// name; leaves nothing.
void CheckWritable(const std::string& path);
// Encodes by the name's ending and writes beside the place first, so that the name never holds half
// a file; PNG carries the recipe. Without `force` an existing file is left alone: throws
// kInvalidArgument.
void WritePicture(const std::string& path, const Picture& picture, const PictureTexts& texts,
                  bool force);

Picture ReadPictureFile(const std::string& path);

}  // namespace bagel

#endif  // BAGEL_FORMATS_PICTURE_FILE_H_
