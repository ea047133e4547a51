#include "generate/flow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/error.h"

namespace bagel {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

TEST(FlowTest, TimesRunFromOneToZero) {
  FlowSettings settings;
  settings.steps = 3;
  settings.shift = 1;
  EXPECT_THAT(FlowTimes(settings), ElementsAre(1.0f, 0.5f, 0.0f));
  settings.shift = 3;
  EXPECT_THAT(FlowTimes(settings), ElementsAre(1.0f, 0.75f, 0.0f));
}

TEST(FlowTest, NoPassWithoutEffect) {
  FlowSettings settings;
  EXPECT_EQ(PassesAt(settings, 1.0f, true).count(), 3);
  EXPECT_EQ(PassesAt(settings, 1.0f, false).count(), 2);
  EXPECT_EQ(PassesAt(settings, 0.4f, true).count(), 1);
  settings.image_scale = 1;
  EXPECT_EQ(PassesAt(settings, 1.0f, true).count(), 2);
  settings.text_scale = 1;
  EXPECT_EQ(PassesAt(settings, 1.0f, true).count(), 1);
}

TEST(FlowTest, ForwardsOfTheUsualSettings) {
  FlowSettings settings;
  EXPECT_EQ(CountForwards(settings, false), 49 + 41);
  EXPECT_EQ(CountForwards(settings, true), 49 + 2 * 41);
  EXPECT_EQ(CountForwards(EditFlowSettings(), true), 3 * 49);
  settings.taylorseer = true;
  EXPECT_EQ(CountForwards(settings, false), 19 + 17);
}

TEST(FlowTest, TaylorComputesFiveThenEveryThird) {
  TaylorSchedule schedule;
  std::string kinds;
  for (int i = 0; i < 12; ++i) {
    kinds += schedule.NextIsComputed() ? 'C' : 'e';
    kinds += std::to_string(schedule.NextIsComputed() ? schedule.TakeComputed()
                                                      : schedule.TakeExtrapolated());
  }
  EXPECT_EQ(kinds, "C0C0C0C0C1e1e2C3e1e2C3e1");
}

TEST(FlowTest, GuidanceAndItsRenorms) {
  FlowSettings settings;
  settings.text_scale = 2;
  settings.image_scale = 1;
  settings.renorm_min = 0;
  const std::vector<float> no_text = {0, 0, 0, 0};
  std::vector<float> v = {3, 4, 0, 1};
  settings.renorm = Renorm::kChannel;
  Guide(settings, 2, v, no_text, {});  // twice as long, brought back
  EXPECT_THAT(v, ElementsAre(FloatNear(3, 1e-5f), FloatNear(4, 1e-5f), 0.0f, FloatNear(1, 1e-5f)));
  settings.renorm_min = 0.75;
  Guide(settings, 2, v, no_text, {});
  EXPECT_NEAR(v[0], 4.5f, 1e-5f);
  settings.renorm_min = 0;
  settings.renorm = Renorm::kTextChannel;
  settings.image_scale = 3;
  v = {3, 4, 0, 1};
  Guide(settings, 2, v, no_text, no_text);  // the guidance by pictures is not shortened
  EXPECT_NEAR(v[0], 9, 1e-4f);
  settings.renorm = Renorm::kGlobal;
  v = {3, 4, 0, 1};
  Guide(settings, 2, v, no_text, {});  // v stands in for the velocity without pictures
  EXPECT_NEAR(v[0], 3, 1e-5f);
}

TEST(FlowTest, SettingsOutOfRangeAreRefused) {
  CheckFlowSettings(FlowSettings());
  CheckFlowSettings(EditFlowSettings());
  const auto refused = [](auto change) {
    FlowSettings settings;
    change(settings);
    EXPECT_THROW(CheckFlowSettings(settings), Error);
  };
  refused([](FlowSettings& s) { s.steps = 0; });
  refused([](FlowSettings& s) { s.steps = 10000; });
  refused([](FlowSettings& s) { s.shift = std::nan(""); });
  refused([](FlowSettings& s) { s.text_scale = std::numeric_limits<double>::infinity(); });
  refused([](FlowSettings& s) { s.interval_low = 1.5; });
  refused([](FlowSettings& s) { s.interval_high = 0.2; });
  refused([](FlowSettings& s) { s.renorm_min = -1; });
  EXPECT_THROW(RenormFromName("local"), Error);
  EXPECT_EQ(RenormFromName("text_channel"), Renorm::kTextChannel);
}

}  // namespace
}  // namespace bagel
