#include "quant/nf4.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace bagel {
namespace {

std::vector<float> Random(size_t count, float scale) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

TEST(Nf4Test, EveryLevelComesBack) {
  std::vector<float> values(Nf4Map().begin(), Nf4Map().end());
  for (float& value : values) value *= 3;
  uint8_t packed[8];
  float absmax = 0;
  ASSERT_TRUE(PackNf4(values, packed, &absmax));
  EXPECT_EQ(absmax, 3);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(packed[i], (2 * i) << 4 | (2 * i + 1));
}

TEST(Nf4Test, AnyRangeUnpacksLikeTheWhole) {
  const std::vector<float> values = Random(1001, 0.02f);
  std::vector<uint8_t> packed(501);
  std::vector<float> absmax(16);
  ASSERT_TRUE(PackNf4(values, packed.data(), absmax.data()));
  EXPECT_EQ(packed.back() & 15, 7);
  const Nf4Scales scales{Nf4Map().data(), absmax.data(), nullptr, nullptr, nullptr, 0};
  std::vector<float> whole(values.size()), part(values.size());
  UnpackNf4(packed.data(), scales, 0, 1001, whole.data());
  for (const auto& [first, count] : {std::pair<int, int>{0, 1}, {1, 64}, {63, 700}, {999, 2}}) {
    UnpackNf4(packed.data(), scales, first, count, part.data());
    for (int i = 0; i < count; ++i)
      EXPECT_EQ(part[static_cast<size_t>(i)], whole[static_cast<size_t>(first + i)]);
  }
}

TEST(Nf4Test, SubnormalValuesKeepTheirSigns) {
  std::vector<float> values(64, 0.0f);
  values[0] = -std::numeric_limits<float>::denorm_min();
  values[1] = std::numeric_limits<float>::denorm_min();
  uint8_t packed[32];
  float absmax = 0;
  ASSERT_TRUE(PackNf4(values, packed, &absmax));
  EXPECT_EQ(packed[0], 0x0F);
  EXPECT_EQ(packed[1], 0x77);
}

TEST(Nf4Test, ValuesThatAreNotFiniteAreRefused) {
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    std::vector<float> values(100, 1.0f);
    values[70] = bad;
    uint8_t packed[50];
    float absmax[2];
    EXPECT_FALSE(PackNf4(values, packed, absmax));
  }
}

TEST(Nf4Test, NestedLevelsAreSortedAndSymmetricButForOne) {
  const std::array<float, 256>& map = Nf4NestedMap();
  EXPECT_TRUE(std::is_sorted(map.begin(), map.end()));
  EXPECT_EQ(map[127], 0);
  EXPECT_EQ(map[255], 1);
  for (size_t i = 0; i < 127; ++i) EXPECT_EQ(map[i], -map[254 - i]);
}

TEST(Nf4Test, NestedMagnitudesAreClose) {
  std::vector<float> absmax = Random(1000, 0.01f);
  for (float& value : absmax) value = 0.1f + std::fabs(value);
  const Nf4Nested nested = NestNf4(absmax);
  ASSERT_EQ(nested.absmax.size(), 4u);
  const Nf4Scales scales{Nf4Map().data(),       nullptr,
                         nested.codes.data(),   nested.absmax.data(),
                         Nf4NestedMap().data(), nested.offset};
  for (size_t i = 0; i < absmax.size(); ++i)
    EXPECT_NEAR(Nf4Absmax(scales, static_cast<int64_t>(i)), absmax[i],
                0.01f * nested.absmax[i / 256]);
}

}  // namespace
}  // namespace bagel
