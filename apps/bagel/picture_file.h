// Pictures as files that say how they were made.
#ifndef BAGEL_APPS_BAGEL_PICTURE_FILE_H_
#define BAGEL_APPS_BAGEL_PICTURE_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "engine/request.h"
#include "formats/picture.h"

namespace bagel {

// What a picture was made from.
struct PictureRecipe {
  std::string prompt;
  std::string negative;
  uint64_t seed = 0;
  PictureSize size;
  FlowSettings flow;
  bool think = false;
  std::string model;
};

PictureTexts RecipeTexts(const PictureRecipe& recipe);
// Of a PNG file that RecipeTexts describes. Throws kInvalidArgument for another file.
PictureRecipe ReadRecipe(const std::string& path);

// Throws kUnsupported unless the name ends in .png, .jpg, .jpeg or .webp.
void CheckPictureName(const std::string& path);
// Encodes by the name's ending and writes beside the place first, so that the name never holds half
// a file; PNG carries the recipe. Without `force` an existing file is left alone: throws
// kInvalidArgument.
void WritePicture(const std::string& path, const Picture& picture, const PictureTexts& texts,
                  bool force);

Picture ReadPictureFile(const std::string& path);

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_PICTURE_FILE_H_
