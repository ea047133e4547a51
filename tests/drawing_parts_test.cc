// What drawing is made of: contexts that fork, and the autoencoder in bands.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <random>

#include "base/error.h"
#include "cpu/cpu_ops.h"
#include "image/latents.h"
#include "image/patches.h"
#include "model/bagel.h"
#include "ref/ref_ops.h"
#include "tensor/measuring_ops.h"
#include "tests/golden.h"

namespace bagel {
namespace {

TEST(ForkTest, SharesFullPagesAndCopiesTheLast) {
  const auto ops = MakeRefOps();
  LlmConfig llm;
  llm.layers = 2;
  llm.kv_heads = 1;
  llm.head_dim = 2;
  KvPool pool(*ops, llm, 8);
  const auto first_value = [&](int64_t layer, int32_t page) -> float& {
    const KvLayer& kv = pool.layer(layer);
    return static_cast<float*>(kv.v)[page * kv.PageElements()];
  };
  Context context(pool);
  context.Reserve(2 * kKvPageTokens + 5);
  context.Advance(2 * kKvPageTokens + 5, 9);
  EXPECT_EQ(pool.free_pages(), 5);
  first_value(1, context.pages()[2]) = 3;
  {
    Context fork(pool);
    fork.Fork(context);
    EXPECT_EQ(fork.length(), context.length());
    EXPECT_EQ(fork.rope(), 9);
    EXPECT_EQ(pool.free_pages(), 4);
    EXPECT_EQ(fork.pages()[0], context.pages()[0]);
    EXPECT_EQ(fork.pages()[1], context.pages()[1]);
    EXPECT_NE(fork.pages()[2], context.pages()[2]);
    EXPECT_EQ(first_value(1, fork.pages()[2]), 3);
    first_value(1, fork.pages()[2]) = 4;
    EXPECT_EQ(first_value(1, context.pages()[2]), 3);
    fork.Reserve(kKvPageTokens);
    EXPECT_EQ(pool.free_pages(), 3);

    Context second(pool);
    second.Fork(fork);  // before its new page is used
    EXPECT_EQ(second.pages().size(), 3u);
    second.Fork(context);
    EXPECT_EQ(pool.free_pages(), 2);
  }
  EXPECT_EQ(pool.free_pages(), 5);
}

TEST(ForkTest, AFullPoolLeavesItEmpty) {
  const auto ops = MakeRefOps();
  LlmConfig llm;
  llm.layers = 1;
  KvPool pool(*ops, llm, 1);
  Context context(pool), fork(pool);
  context.Reserve(3);
  context.Advance(3, 3);
  EXPECT_THROW(fork.Fork(context), Error);
  EXPECT_EQ(fork.length(), 0);
  EXPECT_EQ(context.length(), 3);
}

// A text that goes into a context and into its fork has the same effect as in one that saw it all.
TEST(KvPoolTest, GrowsAsItIsNeededAndKeepsWhatIsThere) {
  const std::unique_ptr<Ops> ops = MakeRefOps();
  const LlmConfig llm{.layers = 2, .kv_heads = 1, .head_dim = 4};
  KvPool pool(*ops, llm, 50);
  const int64_t at_first = pool.pages();
  ASSERT_LT(at_first, 50);
  EXPECT_EQ(pool.free_pages(), 50);
  std::vector<int32_t> pages;
  for (int32_t i = 0; i < 50; ++i) {
    pages.push_back(pool.TakePage());
    for (int64_t layer = 0; layer < 2; ++layer) {
      pool.layer(layer).KeyPage<float>(pages.back())[0] = static_cast<float>(10 * i + layer);
      pool.layer(layer).ValuePage<float>(pages.back())[0] = static_cast<float>(-10 * i - layer);
    }
  }
  EXPECT_EQ(pool.pages(), 50);
  EXPECT_EQ(pool.free_pages(), 0);
  EXPECT_THROW(pool.TakePage(), Error);
  for (int32_t i = 0; i < 50; ++i) {
    const int32_t page = pages[static_cast<size_t>(i)];
    for (int64_t layer = 0; layer < 2; ++layer) {
      EXPECT_EQ(pool.layer(layer).KeyPage<float>(page)[0], static_cast<float>(10 * i + layer));
      EXPECT_EQ(pool.layer(layer).ValuePage<float>(page)[0], static_cast<float>(-10 * i - layer));
    }
    pool.GivePage(page);
  }
  EXPECT_EQ(pool.free_pages(), 50);
}

TEST(ForkTest, AForkGoesOnAsTheOriginalDoes) {
  const auto ops = MakeCpuOps({.threads = 2, .exact = true});
  const BagelConfig config = LoadBagelConfig(kGoldenModel);
  const LoadedWeights weights(kGoldenModel, config, *ops);
  KvPool pool(*ops, config.llm, 16);
  Bagel model(*ops, config, weights.weights(), {}, 256);
  const auto logits = [&](Context& context, const std::vector<int32_t>& ids) {
    const StepInput input{&context, ids, nullptr, true};
    const auto values = model.Run(std::span(&input, 1), pool);
    return std::vector<float>(values.begin(), values.end());
  };
  Context whole(pool), context(pool), fork(pool);
  std::vector<int32_t> prefix(200);
  for (size_t i = 0; i < prefix.size(); ++i) prefix[i] = static_cast<int32_t>(i * 37 % 600);
  logits(whole, prefix);
  logits(context, prefix);
  fork.Fork(context);
  logits(context, {5, 6, 7});
  EXPECT_EQ(logits(fork, {8, 9}), logits(whole, {8, 9}));
}

class BandsTest : public testing::TestWithParam<std::pair<int64_t, int64_t>> {};

// Within one level of the picture that is decoded as a whole, everywhere.
TEST_P(BandsTest, ChangeNoPixelByMoreThanOneLevel) {
  const int64_t height = GetParam().first, width = GetParam().second;
  const auto ops = MakeCpuOps({.threads = 2, .exact = true});
  const BagelConfig config = LoadBagelConfig(kGoldenModel);
  const LoadedWeights weights(kGoldenModel, config, *ops);
  Bagel model(*ops, config, weights.weights(), {}, 16);
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> latents(static_cast<size_t>(height * width * config.latent.channels));
  for (float& value : latents) value = 2 * normal(random);
  const auto decode = [&](const VaeBands& bands) {
    return ToPicture(model.DecodeLatents(latents, height, width, bands), 8 * height, 8 * width);
  };
  const Picture whole = decode({.pixels = 8 * height * 8 * width});
  for (const VaeBands& bands : {VaeBands{.pixels = 1, .whole_values = 0},
                                VaeBands{.pixels = 700, .whole_values = 0}, VaeBands{}}) {
    const Picture banded = decode(bands);
    int most = 0;
    for (size_t i = 0; i < whole.rgb.size(); ++i)
      most = std::max(most, std::abs(whole.rgb[i] - banded.rgb[i]));
    EXPECT_LE(most, 1) << bands.pixels;
  }
}

// It is asked often enough that a heartbeat between the questions is steady, and obeyed at once.
TEST(AutoencoderStop, IsAskedBeforeEveryLargePart) {
  constexpr int64_t kHeight = 16, kWidth = 12;
  const auto ops = MakeCpuOps({.threads = 2});
  const BagelConfig config = LoadBagelConfig(kGoldenModel);
  const LoadedWeights weights(kGoldenModel, config, *ops);
  Bagel model(*ops, config, weights.weights(), {}, 16);
  const std::vector<float> latents(static_cast<size_t>(kHeight * kWidth * config.latent.channels));
  const std::vector<float> pixels(static_cast<size_t>(64 * kHeight * kWidth * 3));
  int asked = 0, limit = 1 << 30;
  const std::function<bool()> stop = [&] { return ++asked > limit; };
  model.DecodeLatents(latents, kHeight, kWidth, {}, stop);
  const int decoding = asked;
  model.EncodePixels(pixels, 8 * kHeight, 8 * kWidth, stop);
  std::printf("asked %d times to decode, %d to encode\n", decoding, asked - decoding);
  EXPECT_GT(decoding, 20);
  EXPECT_GT(asked - decoding, 20);
  asked = 0, limit = 10;
  EXPECT_THROW(model.DecodeLatents(latents, kHeight, kWidth, {}, stop), Error);
  EXPECT_EQ(asked, 11);
  EXPECT_FALSE(model.DecodeLatents(latents, kHeight, kWidth).empty());
}

INSTANTIATE_TEST_SUITE_P(Sizes, BandsTest,
                         testing::Values(std::pair(20, 24), std::pair(16, 18), std::pair(18, 16)));

}  // namespace
}  // namespace bagel
