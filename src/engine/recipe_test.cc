#include "engine/recipe.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace bagel {
namespace {

TEST(RecipeTest, ComesBackAsItWas) {
  PictureRecipe recipe{"A \"red\" apple\n\xF0\x9F\x8D\x8E",
                       "pears",
                       18446744073709551615u,
                       {576, 1024},
                       EditFlowSettings(),
                       true,
                       "bagel"};
  recipe.flow.taylorseer = true;
  recipe.flow.shift = 2.7182818284590452;
  const PictureRecipe back =
      ReadRecipe(ReadPngTexts(EncodePng({1, 1, {0, 0, 0}}, RecipeTexts(recipe))), "a.png");
  EXPECT_EQ(back.prompt, recipe.prompt);
  EXPECT_EQ(back.negative, recipe.negative);
  EXPECT_EQ(back.seed, recipe.seed);
  EXPECT_EQ(back.size, recipe.size);
  EXPECT_EQ(back.flow, recipe.flow);
  EXPECT_TRUE(back.think);
  EXPECT_EQ(back.model, "bagel");
}

TEST(RecipeTest, OtherTextsAreRefused) {
  EXPECT_THROW(ReadRecipe({}, "a.png"), Error);
  PictureRecipe recipe;
  recipe.size = {128, 128};
  const PictureTexts texts = RecipeTexts(recipe);
  const auto with = [&](size_t index, const std::string& value) {
    PictureTexts changed = texts;
    changed[index].second = value;
    return changed;
  };
  EXPECT_NO_THROW(ReadRecipe(with(1, "18446744073709551615"), "a.png"));
  EXPECT_THROW(ReadRecipe(with(1, "18446744073709551616"), "a.png"), Error);
  EXPECT_THROW(ReadRecipe(with(1, "-1"), "a.png"), Error);
  EXPECT_THROW(ReadRecipe(with(2, "{"), "a.png"), Error);
}

}  // namespace
}  // namespace bagel
