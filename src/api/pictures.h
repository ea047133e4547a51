// Pictures in and out of requests and replies.
#ifndef BAGEL_API_PICTURES_H_
#define BAGEL_API_PICTURES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/recipe.h"
#include "engine/request.h"
#include "formats/picture.h"
#include "http/budget.h"

namespace bagel::api {

// Decodes picture files in place, each one's bytes dropped once it is decoded; what they take of
// the budget goes to `share`. Throws ApiError 400 for what is no picture and kUnavailable past the
// budget.
std::vector<Part> DecodePictures(std::vector<std::vector<std::byte>>& files,
                                 const PictureLimits& limits, http::BudgetShare& share);

// Throws kInvalidArgument for texts that cannot fit into `context_tokens`, so that nobody has to
// tokenise them.
void CheckTextBytes(std::size_t bytes, int64_t context_tokens);

// What the PNG of `request`'s result carries. The prompt is the last text of its parts.
PictureRecipe RecipeOf(const PictureRequest& request, const std::string& model);
// A PNG file with the recipe's texts, its seed and size completed from the result.
std::vector<std::byte> EncodeResult(const PictureResult& result, PictureRecipe recipe);

}  // namespace bagel::api

#endif  // BAGEL_API_PICTURES_H_
