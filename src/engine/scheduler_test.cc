#include "engine/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bagel {
namespace {

using testing::ElementsAre;

constexpr NextRows P{Phase::kPrefill, kPrefillChunkTokens};
constexpr NextRows D{Phase::kDecode, 1};
constexpr NextRows Short(int64_t rows) { return {Phase::kPrefill, rows}; }

TEST(SchedulerTest, DecodesTogether) {
  EXPECT_THAT(ChooseStep(std::vector{D, D, D}, false), ElementsAre(0, 1, 2));
}

TEST(SchedulerTest, PrefillsTheOldestAlone) {
  EXPECT_THAT(ChooseStep(std::vector{P, P}, true), ElementsAre(0));
}

TEST(SchedulerTest, PrefillsWhatFitsOneChunkTogether) {
  EXPECT_THAT(ChooseStep(std::vector{Short(100), D, Short(156), Short(1)}, false),
              ElementsAre(0, 2));
  EXPECT_THAT(ChooseStep(std::vector{Short(3000), Short(10)}, false), ElementsAre(0));
  // A long one is not overtaken by those behind it.
  EXPECT_THAT(ChooseStep(std::vector{Short(10), Short(3000), Short(10)}, false), ElementsAre(0));
}

TEST(SchedulerTest, TakesTurns) {
  EXPECT_THAT(ChooseStep(std::vector{D, P, D, P}, false), ElementsAre(1));
  EXPECT_THAT(ChooseStep(std::vector{D, P, D, P}, true), ElementsAre(0, 2));
}

TEST(SchedulerTest, APictureWaitsForFirstWordsAndSharesTheTime) {
  EXPECT_TRUE(IsPicturesTurn({false, false, 0, 1000}));
  EXPECT_FALSE(IsPicturesTurn({true, true, 3000, 1000}));
  EXPECT_TRUE(IsPicturesTurn({true, true, 4001, 1000}));
  EXPECT_FALSE(IsPicturesTurn({true, false, 900, 1000}));
  EXPECT_TRUE(IsPicturesTurn({true, false, 1001, 1000}));
}

}  // namespace
}  // namespace bagel
