// What the fast paths cost, bf16 products on processors that have them and f16 on GPUs, against the
// exact path.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "cpu/cpu_ops.h"
#include "cpu/tile.h"
#include "model/bagel.h"
#include "tests/golden.h"
#include "tests/gpu.h"
#include "text/protocol.h"
#include "text/tokenizer.h"

namespace bagel {
namespace {

constexpr const char* kDemoModel = "demo/model";

// The demo model on one device.
class Path {
 public:
  explicit Path(std::unique_ptr<Ops> ops)
      : ops_(std::move(ops)),
        config_(LoadBagelConfig(kDemoModel)),
        weights_(kDemoModel, config_, *ops_),
        pool_(*ops_, config_.llm, 8),
        tokenizer_(Tokenizer::Load(kDemoModel)),
        protocol_(ProtocolIds::From(tokenizer_)),
        model_(*ops_, config_, weights_.weights(), {protocol_.vision_start, protocol_.vision_end},
               std::max<int64_t>(config_.MaxImageRows(), 256)) {}

  // The greedy answer, or, with `forced`, the best token before each of the forced ones.
  std::vector<int32_t> Answer(const Picture& picture, const std::string& prompt,
                              const std::vector<int32_t>* forced) {
    constexpr size_t kMost = 60;
    Context context(pool_);
    const ImagePatches image = PrepareImage(picture, config_);
    Step({&context, {}, &image, false});
    std::vector<int32_t> ids = WrapText(protocol_, tokenizer_.Encode(prompt, Specials::kPlain));
    ids.push_back(protocol_.im_start);
    std::vector<int32_t> answer = {Step({&context, ids, nullptr, true})};
    const size_t count = forced ? forced->size() : kMost;
    while (answer.size() < count && (forced || answer.back() != protocol_.im_end)) {
      const int32_t next = forced ? (*forced)[answer.size() - 1] : answer.back();
      answer.push_back(Step({&context, {next}, nullptr, true}));
    }
    return answer;
  }

  const std::vector<float>& logits() const { return logits_; }

 private:
  int32_t Step(const StepInput& input) {
    const std::span<const float> logits = model_.Run(std::span(&input, 1), pool_);
    if (logits.empty()) return 0;
    logits_.assign(logits.begin(), logits.end());
    return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }

  std::unique_ptr<Ops> ops_;
  BagelConfig config_;
  LoadedWeights weights_;
  KvPool pool_;
  Tokenizer tokenizer_;
  ProtocolIds protocol_;
  Bagel model_;
  std::vector<float> logits_;
};

void ExpectAgreement(Path& fast, const char* name) {
  Path exact(MakeCpuOps({.threads = 2, .exact = true}));
  int64_t tokens = 0, agree = 0;
  double worst = 0;
  for (int i = 1; i <= 20; ++i) {
    char file[64];
    std::snprintf(file, sizeof(file), "demo/pictures/person-%02d.jpg", i);
    const Picture picture = ReadPicture(file);
    const std::vector<int32_t> expected =
        exact.Answer(picture, "Describe what you see in this image.", nullptr);
    const std::vector<int32_t> found =
        fast.Answer(picture, "Describe what you see in this image.", &expected);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t t = 0; t < expected.size(); ++t) agree += found[t] == expected[t];
    tokens += static_cast<int64_t>(expected.size());
    worst = std::max(worst, RelativeError(fast.logits(), exact.logits()));
  }
  std::printf("%s: %ld of %ld next tokens agree, worst error of the last logits %.2g\n", name,
              static_cast<long>(agree), static_cast<long>(tokens), worst);
  EXPECT_GE(static_cast<double>(agree), 0.98 * static_cast<double>(tokens));
  EXPECT_GT(tokens, 300);
}

TEST(FastPathTest, NextTokensAgreeWithTheExactPath) {
  Path fast(MakeCpuOps({.threads = 2, .exact = false}));
  ExpectAgreement(fast, BF16ProductsName());
}

TEST(FastPathTest, NextTokensAgreeWithKeysAndValuesInEightBits) {
  Path fast(MakeCpuOps({.threads = 2, .exact = true, .int8_cache = true}));
  ExpectAgreement(fast, "8-bit keys and values");
}

class GpuFastPathTest : public testing::TestWithParam<GpuProfile> {};

TEST_P(GpuFastPathTest, NextTokensAgreeWithTheExactPath) {
  Path fast(GetParam().Make());
  ExpectAgreement(fast, GetParam().name);
}

TEST_P(GpuFastPathTest, NextTokensAgreeWithKeysAndValuesInEightBits) {
  Path fast(GetParam().Make("int8"));
  ExpectAgreement(fast, GetParam().name);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GpuFastPathTest);
INSTANTIATE_TEST_SUITE_P(Devices, GpuFastPathTest, testing::ValuesIn(GpuProfiles()),
                         [](const auto& gpu) { return std::string(gpu.param.name); });

}  // namespace
}  // namespace bagel
