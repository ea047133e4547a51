#include "generate/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "base/error.h"

namespace bagel {
namespace {

// Everything off: plain softmax sampling at temperature 1.
SamplingOptions Plain() {
  return {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .repeat_penalty = 1};
}

std::map<int32_t, int> Draw(const SamplingOptions& options, const std::vector<float>& logits,
                            int draws) {
  Sampler sampler(options, 7);
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; ++i) ++counts[sampler.Next(logits, {})];
  return counts;
}

TEST(SamplingTest, GreedyTakesTheLowestIdOfATie) {
  SamplingOptions options = Plain();
  options.temperature = 0;
  Sampler sampler(options, 1);
  EXPECT_EQ(sampler.Next(std::vector<float>{1, 5, 5, 2}, {}), 1);
}

TEST(SamplingTest, FrequenciesFollowSoftmax) {
  const auto counts = Draw(Plain(), {0.0f, std::log(2.0f), std::log(5.0f)}, 8000);
  EXPECT_NEAR(counts.at(0), 1000, 120);
  EXPECT_NEAR(counts.at(1), 2000, 160);
  EXPECT_NEAR(counts.at(2), 5000, 180);
}

TEST(SamplingTest, TemperatureSharpens) {
  SamplingOptions options = Plain();
  options.temperature = 0.5f;
  const auto counts = Draw(options, {0.0f, std::log(3.0f)}, 8000);
  EXPECT_NEAR(counts.at(0), 800, 110);
}

TEST(SamplingTest, TopKTopPAndMinPCut) {
  const std::vector<float> logits = {std::log(1.0f), std::log(2.0f), std::log(3.0f),
                                     std::log(4.0f)};
  SamplingOptions options = Plain();
  options.top_k = 2;
  EXPECT_EQ(Draw(options, logits, 500).size(), 2u);
  options = Plain();
  options.top_p = 0.65f;  // 0.4 + 0.3 reaches it
  EXPECT_EQ(Draw(options, logits, 500).size(), 2u);
  options = Plain();
  options.min_p = 0.6f;  // of 0.4: only 0.3 passes besides
  EXPECT_EQ(Draw(options, logits, 500).size(), 2u);
  options.min_p = 1.0f;
  EXPECT_EQ(Draw(options, logits, 500).size(), 1u);
}

TEST(SamplingTest, PenaltiesLookBack) {
  SamplingOptions options = Plain();
  options.temperature = 0;
  options.repeat_penalty = 2;
  const std::vector<float> logits = {3, 2, -1};
  EXPECT_EQ(Sampler(options, 1).Next(logits, std::vector<int32_t>{0}), 1);
  options.repeat_last_n = 1;  // the 0 lies further back
  EXPECT_EQ(Sampler(options, 1).Next(logits, std::vector<int32_t>{0, 2}), 0);
  options = Plain();
  options.temperature = 0;
  options.frequency_penalty = 0.6f;
  EXPECT_EQ(Sampler(options, 1).Next(logits, std::vector<int32_t>{0}), 0);
  EXPECT_EQ(Sampler(options, 1).Next(logits, std::vector<int32_t>{0, 0}), 1);
}

TEST(SamplingTest, SameSeedSameTokens) {
  const std::vector<float> logits(50, 0.0f);
  Sampler a(Plain(), 42), b(Plain(), 42), c(Plain(), 43);
  bool differs = false;
  for (int i = 0; i < 20; ++i) {
    const int32_t token = a.Next(logits, {});
    EXPECT_EQ(token, b.Next(logits, {}));
    differs |= token != c.Next(logits, {});
  }
  EXPECT_TRUE(differs);
}

TEST(SamplingTest, BadOptionsAreNamed) {
  SamplingOptions options = Plain();
  options.temperature = std::numeric_limits<float>::quiet_NaN();
  try {
    CheckSamplingOptions(options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("temperature"), std::string::npos);
  }
}

TEST(SamplingTest, LogitsThatAreNotNumbersAreAnError) {
  Sampler sampler(Plain(), 1);
  const std::vector<float> logits = {1, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_THROW(sampler.Next(logits, {}), Error);
}

}  // namespace
}  // namespace bagel
