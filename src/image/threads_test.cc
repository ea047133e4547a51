#include <random>

#include "formats/test_support.h"
#include "image/patches.h"
#include "image/resize.h"

namespace bagel {
namespace {

Picture Noise(PictureSize size) {
  Picture picture{.width = size.width, .height = size.height, .rgb = {}};
  picture.rgb.resize(static_cast<size_t>(size.width) * static_cast<size_t>(size.height) * 3);
  std::mt19937 random(1);
  for (uint8_t& value : picture.rgb) value = static_cast<uint8_t>(random());
  return picture;
}

TEST(ThreadsTest, AnyNumberOfThemResizesToTheSameBytes) {
  const struct {
    PictureSize from, to;
  } kCases[] = {
      {{1, 1}, {1, 1}},      {{1, 1}, {67, 35}},    {{3, 5}, {1, 1}},       {{67, 35}, {67, 18}},
      {{67, 35}, {33, 35}},  {{67, 35}, {67, 129}}, {{67, 35}, {131, 35}},  {{257, 19}, {85, 17}},
      {{85, 263}, {86, 31}}, {{85, 87}, {170, 15}}, {{345, 16}, {344, 33}}, {{640, 17}, {13, 300}},
  };
  for (const auto& [from, to] : kCases) {
    const Picture picture = Noise(from);
    const Picture alone = ResizeBicubic(picture, to);
    for (const int threads : {1, 2, 7}) {
      ThreadPool pool(threads);
      EXPECT_EQ(ResizeBicubic(picture, to, &pool).rgb, alone.rgb)
          << from.width << "x" << from.height << " to " << to.width << "x" << to.height << " by "
          << threads;
    }
  }
}

TEST(ThreadsTest, AnyNumberOfThemCutsTheSamePatches) {
  const Picture picture = Noise({35, 63});
  for (const int threads : {1, 2, 7}) {
    ThreadPool pool(threads);
    EXPECT_EQ(PatchRows(picture, 7, &pool), PatchRows(picture, 7)) << threads;
  }
}

}  // namespace
}  // namespace bagel
