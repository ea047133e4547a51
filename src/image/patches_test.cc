#include "image/patches.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace bagel {
namespace {

TEST(PatchesTest, RowsAreInPatchOrder) {
  // 6 wide, 4 high, patches of 2: value = a number of its own for each byte.
  Picture picture{.width = 6, .height = 4, .rgb = {}};
  for (int i = 0; i < 6 * 4 * 3; ++i) picture.rgb.push_back(static_cast<uint8_t>(i * 3));
  const UninitialisedVector<float> rows = PatchRows(picture, 2);
  ASSERT_EQ(rows.size(), picture.rgb.size());
  size_t index = 0;
  for (size_t patch_row = 0; patch_row < 2; ++patch_row) {
    for (size_t patch_column = 0; patch_column < 3; ++patch_column) {
      for (size_t y = 0; y < 2; ++y) {
        for (size_t x = 0; x < 2; ++x) {
          for (size_t channel = 0; channel < 3; ++channel) {
            const size_t source = ((patch_row * 2 + y) * 6 + patch_column * 2 + x) * 3 + channel;
            const float expected = (static_cast<float>(picture.rgb[source]) / 255.0F - 0.5F) / 0.5F;
            ASSERT_EQ(rows[index++], expected) << source;
          }
        }
      }
    }
  }
}

TEST(PatchesTest, ValuesSpanMinusOneToOne) {
  const Picture picture{.width = 1, .height = 1, .rgb = {0, 51, 255}};
  EXPECT_EQ(PatchRows(picture, 1), (UninitialisedVector<float>{-1.0F, -0.6F, 1.0F}));
}

TEST(PatchesTest, PositionsIndexASquareTable) {
  EXPECT_EQ(PatchPositions(2, 3, 70), (std::vector<int32_t>{0, 1, 2, 70, 71, 72}));
  EXPECT_EQ(PatchPositions(70, 70, 70).back(), 4899);
  EXPECT_THROW(PatchPositions(71, 1, 70), Error);
  EXPECT_THROW(PatchPositions(1, 71, 70), Error);
}

}  // namespace
}  // namespace bagel
