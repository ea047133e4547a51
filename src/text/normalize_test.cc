#include "text/normalize.h"

#include <gtest/gtest.h>

#include "text/test_clock.h"

namespace bagel {
namespace {

TEST(NormalizeTest, ComposesAndReorders) {
  EXPECT_EQ(NormalizeNfc(""), "");
  EXPECT_EQ(NormalizeNfc(std::string("a\0b", 3)), std::string("a\0b", 3));
  EXPECT_EQ(NormalizeNfc("e\u0301"), "\u00E9");
  EXPECT_EQ(NormalizeNfc("a\u0301\u0323"), "\u1EA1\u0301");
  EXPECT_EQ(NormalizeNfc("\uFB01"), "\uFB01");                          // compatibility forms stay
  EXPECT_EQ(NormalizeNfc("\u212B\u2126"), "\u00C5\u03A9");              // singletons
  EXPECT_EQ(NormalizeNfc("\u0958"), "\u0915\u093C");                    // composition exclusion
  EXPECT_EQ(NormalizeNfc("\u1100\u1161\u11A8"), "\uAC01");              // Hangul
  EXPECT_EQ(NormalizeNfc("\uAC00\u11A7\u11A7"), "\uAC00\u11A7\u11A7");  // no final consonant
  EXPECT_EQ(NormalizeNfc("\u11A7e\u0301\u11A7\u1100\u1161"), "\u11A7\u00E9\u11A7\uAC00");
  EXPECT_EQ(NormalizeNfc("\U0001D15E"), "\U0001D157\U0001D165");  // excluded, outside the BMP
  EXPECT_EQ(NormalizeNfc("\U00011131\U00011127"), "\U0001112E");
}

TEST(NormalizeTest, LongRunsOfMarksAreFast) {
  std::string marks = "a";
  for (int i = 0; i < 250'000; ++i) marks += "\u0315\u0327";
  const double start = CpuSeconds();
  const std::string normalized = NormalizeNfc(marks);
  EXPECT_LT(CpuSeconds() - start, kMaxCpuSeconds);
  EXPECT_EQ(normalized.size(), marks.size());
  EXPECT_EQ(normalized.substr(0, 5), "a\u0327\u0327");
}

}  // namespace
}  // namespace bagel
