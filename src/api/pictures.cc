#include "api/pictures.h"

#include <utility>

#include "api/api_error.h"

namespace bagel::api {
namespace {

// No token is longer, so a text beyond this many bytes for each token cannot fit.
constexpr int64_t kMaxTokenBytes = 256;

}  // namespace

std::vector<Part> DecodePictures(std::vector<std::vector<std::byte>>& files,
                                 const PictureLimits& limits, http::BudgetShare& share) {
  std::vector<Part> parts;
  int64_t bytes = 0;
  for (std::vector<std::byte>& file : files) {
    try {
      parts.emplace_back(DecodePicture(file, limits));
    } catch (const Error& error) {
      throw ApiError(400, error.what());
    }
    std::vector<std::byte>().swap(file);
    bytes += static_cast<int64_t>(std::get<Picture>(parts.back()).rgb.size());
    if (!share.GrowTo(bytes)) {
      throw Error(ErrorKind::kUnavailable,
                  "server busy, please try again.  too many pictures at once");
    }
  }
  return parts;
}

void CheckTextBytes(std::size_t bytes, int64_t context_tokens) {
  if (context_tokens > 0 && static_cast<int64_t>(bytes) / kMaxTokenBytes > context_tokens) {
    throw Error(ErrorKind::kInvalidArgument, "prompt: " + std::to_string(bytes) +
                                                 " bytes cannot fit into a context of " +
                                                 std::to_string(context_tokens) + " tokens");
  }
}

PictureRecipe RecipeOf(const PictureRequest& request, const std::string& model) {
  PictureRecipe recipe;
  for (const Part& part : request.parts) {
    if (const auto* text = std::get_if<std::string>(&part)) {
      recipe.prompt = *text;
    }
  }
  recipe.negative = request.negative;
  recipe.flow = request.flow;
  recipe.think = request.think;
  recipe.model = model;
  return recipe;
}

std::vector<std::byte> EncodeResult(const PictureResult& result, PictureRecipe recipe) {
  recipe.seed = result.seed;
  recipe.size = {result.picture.width, result.picture.height};
  return EncodePng(result.picture, RecipeTexts(recipe));
}

}  // namespace bagel::api
