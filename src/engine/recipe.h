// How a picture was made, as texts that travel inside its PNG file.
#ifndef BAGEL_ENGINE_RECIPE_H_
#define BAGEL_ENGINE_RECIPE_H_

#include <cstdint>
#include <string>

#include "formats/picture.h"
#include "generate/flow.h"
#include "image/sizes.h"

namespace bagel {

struct PictureRecipe {
  std::string prompt;
  std::string negative;
  uint64_t seed = 0;
  PictureSize size;
  FlowSettings flow;
  bool think = false;
  std::string model;
};

// The prompt, the seed, and the settings as one JSON object.
PictureTexts RecipeTexts(const PictureRecipe& recipe);

// What RecipeTexts wrote. `where` names the source in errors: throws kInvalidArgument for texts
// that say nothing of it, and for values out of range.
PictureRecipe ReadRecipe(const PictureTexts& texts, const std::string& where);

}  // namespace bagel

#endif  // BAGEL_ENGINE_RECIPE_H_
