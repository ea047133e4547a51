#include "quant/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "quant/half.h"

namespace bagel {
namespace {

TEST(Int8Block64Test, ErrorIsAtMostHalfAStepOfTheBlock) {
  constexpr int64_t kOut = 3, kIn = 150;  // the last block of a row is short
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(kOut * kIn);
  for (float& value : values) value = normal(random);
  const Int8Block64 packed = PackInt8Block64(values, kOut, kIn);
  ASSERT_EQ(packed.scales.size(), 3u * 3u);
  std::vector<float> row(kIn);
  for (int64_t r = 0; r < kOut; ++r) {
    UnpackInt8Block64Row(&packed.codes[static_cast<size_t>(r * kIn)],
                         &packed.scales[static_cast<size_t>(r * 3)], kIn, row.data());
    for (int64_t i = 0; i < kIn; ++i) {
      const float step = F16ToF32(packed.scales[static_cast<size_t>(r * 3 + i / 64)]);
      // The scale itself is rounded to f16, so the largest value may be clamped by 127 * 2^-11.
      EXPECT_NEAR(row[static_cast<size_t>(i)], values[static_cast<size_t>(r * kIn + i)],
                  0.5f * step + 127 * step * 0x1p-11f);
    }
  }
}

TEST(Int8Block64Test, ZerosStayZero) {
  const std::vector<float> values(64, 0.0f);
  const Int8Block64 packed = PackInt8Block64(values, 1, 64);
  EXPECT_EQ(packed.scales[0], 0);
  EXPECT_EQ(packed.codes[63], 0);
}

}  // namespace
}  // namespace bagel
