#include "image/sizes.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "formats/json.h"

namespace bagel {
namespace {

TEST(SizesTest, MatchesTheReference) {
  const Json golden = ReadJsonFile("tests/golden/preprocess/sizes.json");
  const Json& sizes = golden["sizes_w_h_vaew_vaeh_vitw_vith"];
  ASSERT_GT(sizes.size(), 300U);
  for (const Json& row : sizes) {
    const PictureSize source = {row[0], row[1]};
    const PictureSize vae = ResizedSize(source, kVaeSizeLimits);
    const PictureSize vit = ResizedSize(vae, kVitSizeLimits);
    EXPECT_EQ(vae, (PictureSize{row[2], row[3]})) << row.dump();
    EXPECT_EQ(vit, (PictureSize{row[4], row[5]})) << row.dump();
  }
}

TEST(SizesTest, ResultsAreMultiplesOfTheStrideWithinTheLongestSide) {
  for (const SizeLimits& limits : {kVaeSizeLimits, kVitSizeLimits}) {
    for (int width = 1; width <= 65535; width += 1 + width / 7) {
      for (int height = 1; height <= 65535; height += 1 + height / 7) {
        const PictureSize size = ResizedSize({width, height}, limits);
        ASSERT_EQ(size.width % limits.stride, 0) << width << "x" << height;
        ASSERT_EQ(size.height % limits.stride, 0) << width << "x" << height;
        ASSERT_GE(size.width, limits.stride) << width << "x" << height;
        ASSERT_GE(size.height, limits.stride) << width << "x" << height;
        ASSERT_LE(size.width, limits.max_side) << width << "x" << height;
        ASSERT_LE(size.height, limits.max_side) << width << "x" << height;
      }
    }
  }
}

TEST(SizesTest, RefusesAbsurdSizesAndLimits) {
  EXPECT_THROW(ResizedSize({0, 5}, kVaeSizeLimits), Error);
  EXPECT_THROW(ResizedSize({5, -1}, kVaeSizeLimits), Error);
  EXPECT_THROW(ResizedSize({65536, 5}, kVaeSizeLimits), Error);
  EXPECT_NO_THROW(CheckSizeLimits(kVaeSizeLimits, "vae_image"));
  EXPECT_NO_THROW(CheckSizeLimits(kVitSizeLimits, "vit_image"));
  EXPECT_THROW(CheckSizeLimits({0, 980, 224, 1000}, "vit_image"), Error);
  EXPECT_THROW(CheckSizeLimits({14, 980, 224, 0}, "vit_image"), Error);
  EXPECT_THROW(CheckSizeLimits({14, 100, 224, 1000}, "vit_image"), Error);
  EXPECT_THROW(CheckSizeLimits({14, 1 << 30, 224, 1000}, "vit_image"), Error);
}

}  // namespace
}  // namespace bagel
