// The memory that work at the published shape takes, by dry runs and by adding up, and how weights
// lie in a device's.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "image/patches.h"
#include "model/bagel.h"
#include "model/quantize.h"
#include "model/stored_weight.h"
#include "ref/ref_ops.h"
#include "tensor/measuring_ops.h"
#include "tests/golden.h"
#include "tests/gpu.h"

namespace bagel {
namespace {

// A GPU gives memory in units, and something is asked for behind every piece.
constexpr int64_t kUnit = int64_t{2} << 20, kPadding = 256;

int64_t RoundUp(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

// What placing `weight` takes on a GPU, or a vector for which there is none.
int64_t BytesOnGpu(const TensorSpec& spec, const Weight& weight) {
  if (spec.role == TensorRole::kEmbedding) return 0;
  if (spec.role == TensorRole::kVector) return RoundUp(4 * spec.shape[0], kPadding);
  if (spec.shape.size() == 4) return RoundUp(2 * weight.out * weight.in, kPadding);
  return static_cast<int64_t>(PlacedBytes(weight));
}

// A weight of so many values in a format, as a file of bf16 has it when it has been quantised.
Weight WeightOf(const TensorSpec& spec, StoredFormat format) {
  static const float kValue = 0;
  Weight weight{WeightFormat::kBF16, spec.shape[0], 1, &kValue};
  for (size_t i = 1; i < spec.shape.size(); ++i) weight.in *= spec.shape[i];
  if (format == StoredFormat::kInt8Block64) {
    weight.format = WeightFormat::kInt8Block64;
    weight.scales = &kValue;
  } else if (format == StoredFormat::kNf4) {
    weight.format = WeightFormat::kNf4;
    weight.nf4.map = &kValue;
  }
  return weight;
}

TEST(WeightMemoryTest, HandsOutItsBlockAndThenMemoryOfItsOwn) {
  const std::unique_ptr<Ops> ops = MakeRefOps();
  WeightMemory memory(*ops);
  memory.Reserve(3 * 256);
  auto* first = static_cast<char*>(memory.Take(1));
  EXPECT_EQ(memory.Take(257), first + 256);
  auto* other = static_cast<char*>(memory.Take(300));
  ASSERT_NE(other, nullptr);
  std::fill(other, other + 300, 'x');
  WeightMemory without(*ops);
  EXPECT_NE(without.Take(10), nullptr);
}

TEST(WeightMemoryTest, WhatIsReservedIsWhatLoadingTakes) {
  const std::vector<GpuProfile> gpus = GpuProfiles();
  if (gpus.empty()) GTEST_SKIP() << "no GPU";
  const char* folder = "demo/model";
  const BagelConfig config = LoadBagelConfig(folder);
  const std::unique_ptr<Ops> gpu = gpus[0].Make();
  { const LoadedWeights first(folder, config, *gpu); }  // the device takes memory of its own
  const size_t before = gpu->FreeBytes();
  const LoadedWeights weights(folder, config, *gpu);
  const auto used = static_cast<int64_t>(before - gpu->FreeBytes());
  int64_t expected = kPadding;
  const auto add = [&](const SafetensorsFolder& files, const std::vector<TensorSpec>& specs) {
    for (const TensorSpec& spec : specs)
      expected += BytesOnGpu(spec, spec.role == TensorRole::kVector
                                       ? Weight{}
                                       : FindWeight(files, spec.name, spec.shape));
  };
  add(weights.checkpoint(), ExpectedTensors(config));
  add(SafetensorsFolder(folder, {"ae"}), ExpectedAutoencoder(config));
  EXPECT_TRUE(used == expected || used == RoundUp(expected, kUnit)) << used << " " << expected;
}

// The published model by a dry run.
class MemoryTest : public testing::Test {
 protected:
  static constexpr int64_t kSide = 64;  // latent tokens of 1024 pixels

  MemoryTest(DType activations, DType keys) : ops_(activations, keys) {}

  // A step of fewer rows never needs more, so the largest one's workspace is enough for all.
  void ExpectTheLargestPictureNeedsMost() {
    for (int64_t rows = config_.MaxImageRows(); rows > 2; rows -= 97)
      EXPECT_LE(Bagel::WorkspaceBytes(ops_, config_, rows), model_.workspace_bytes()) << rows;
  }

  // Drawing's workspace with what texts take anyway, after a move of `passes` passes and the
  // autoencoder.
  int64_t DrawingBytes(size_t passes, bool edit) {
    Context context(pool_);
    const std::vector<float> values(
        static_cast<size_t>(kSide * kSide * config_.latent.TokenSize()));
    const LatentTokens latents{values, positions_, 0.5f};
    if (edit) {
      const std::vector<float> pixels(static_cast<size_t>(1024 * 1024 * 3));
      model_.EncodePixels(pixels, 1024, 1024);
      const StepInput block{&context, {}, nullptr, false, &latents};
      model_.Run(std::span(&block, 1), pool_);
    }
    std::vector<StepInput> inputs;
    for (size_t i = 0; i < passes; ++i)
      inputs.push_back({&context, {}, nullptr, false, &latents, false});
    model_.Velocity(inputs, pool_);
    model_.DecodeLatents(values, 2 * kSide, 2 * kSide);
    return static_cast<int64_t>(model_.workspace_bytes());
  }

  int64_t ContextBytes(int64_t tokens) const {
    const LlmConfig& llm = config_.llm;
    return RoundUp(tokens, kKvPageTokens) * llm.layers * 2 * llm.kv_heads * llm.head_dim * 2;
  }

  // Of the keys and values of contexts with so many tokens each, in a GPU's units.
  int64_t PoolBytes(const std::vector<int64_t>& contexts) {
    KvPool pool(ops_, config_.llm, 200);
    std::vector<std::unique_ptr<Context>> held;
    for (const int64_t tokens : contexts) {
      held.push_back(std::make_unique<Context>(pool));
      held.back()->Reserve(tokens);
    }
    const KvLayer& layer = pool.layer(0);
    const auto part =
        pool.pages() * layer.PageElements() * static_cast<int64_t>(DTypeSize(layer.dtype));
    return 2 * config_.llm.layers * RoundUp(part + kPadding, kUnit);
  }

  int64_t WeightBytes(bool drawing) const {
    const QuantizePolicy policy = FindPolicy("nf4");
    int64_t bytes = 0;
    for (const TensorSpec& spec : ExpectedTensors(config_))
      if (drawing || !spec.is_drawing)
        bytes += BytesOnGpu(spec, WeightOf(spec, policy.FormatOf(spec)));
    for (const TensorSpec& spec : ExpectedAutoencoder(config_))
      if (drawing) bytes += BytesOnGpu(spec, WeightOf(spec, StoredFormat::kAsIs));
    return RoundUp(bytes + kPadding, kUnit);
  }

  // A row of the table in bench/README.md; returns the sum.
  static int64_t Peak(const char* what, int64_t weights, int64_t keys, int64_t workspace) {
    // What an H100 gives to CUDA's context, cuBLAS, kernels and tables; one unpacked weight.
    constexpr int64_t kCuda = 330'000'000, kUnpacked = (int64_t{130} << 20) + kUnit;
    const int64_t sum = weights + keys + workspace + kUnpacked + kCuda;
    const auto gigabytes = [](int64_t bytes) { return static_cast<double>(bytes) / 1e9; };
    std::printf("| %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", what, gigabytes(weights),
                gigabytes(keys), gigabytes(workspace), gigabytes(kUnpacked), gigabytes(kCuda),
                gigabytes(sum));
    return sum;
  }

  BagelConfig config_ = FindShape("bagel-7b-mot");
  BagelWeights weights_ = WeightShapes(config_);
  MeasuringOps ops_;
  KvPool pool_{ops_, config_.llm, 200};
  Bagel model_{ops_, config_, weights_, {}, config_.MaxImageRows()};
  std::vector<int32_t> positions_ = PatchPositions(kSide, kSide, kSide);
};

class CpuMemoryTest : public MemoryTest {
 protected:
  CpuMemoryTest() : MemoryTest(DType::kF32, DType::kBF16) {}
};

class GpuMemoryTest : public MemoryTest {
 protected:
  GpuMemoryTest() : MemoryTest(DType::kF16, DType::kF16) {}
};

TEST_F(CpuMemoryTest, APictureOf1024) {
  constexpr int64_t kText = 256;
  const int64_t bytes = DrawingBytes(2, false) + ContextBytes(kText);
  std::printf("a picture: %lld MB\n", static_cast<long long>(bytes / 1000 / 1000));
  EXPECT_LE(bytes, 1'200'000'000);
}

TEST_F(CpuMemoryTest, AnEditOf1024) {
  constexpr int64_t kText = 256;
  const int64_t block = kSide * kSide + 2 + config_.MaxImageRows();
  // The context without text is a prefix of the full one, that without pictures a text.
  const int64_t bytes =
      DrawingBytes(3, true) + ContextBytes(block + kText) + ContextBytes(2 * kText);
  std::printf("an edit: %lld MB\n", static_cast<long long>(bytes / 1000 / 1000));
  EXPECT_LE(bytes, 1'800'000'000);
}

TEST_F(CpuMemoryTest, TaylorSeer) {
  const int64_t history = (TaylorHistory::kMaxOrder + 1) * kSide * kSide * config_.llm.hidden * 2;
  std::printf("TaylorSeer: %lld MB for three passes\n",
              static_cast<long long>(3 * history / 1000 / 1000));
  EXPECT_LE(3 * history, 650'000'000);
}

TEST_F(CpuMemoryTest, TheLargestPictureNeedsMost) { ExpectTheLargestPictureNeedsMost(); }

TEST_F(GpuMemoryTest, TheLargestPictureNeedsMost) { ExpectTheLargestPictureNeedsMost(); }

// What nvidia-smi shows at the peak.
TEST_F(GpuMemoryTest, StaysWithinWhatIsPromised) {
  constexpr int64_t kText = 40, kFrame = 2730 + 2;  // rows of a picture of 1280x720
  const int64_t block = kSide * kSide + 2 + config_.MaxImageRows();
  EXPECT_LE(Peak("understanding", WeightBytes(false), PoolBytes({kFrame + kText}),
                 static_cast<int64_t>(model_.workspace_bytes())),
            5'500'000'000);
  EXPECT_LE(Peak("drawing", WeightBytes(true), PoolBytes({kText, kText}), DrawingBytes(2, false)),
            9'500'000'000);
  // The context without text is a prefix of the full one and shares its full pages.
  EXPECT_LE(Peak("editing", WeightBytes(true), PoolBytes({block + kText, kKvPageTokens, kText}),
                 DrawingBytes(3, true)),
            10'000'000'000);
}

}  // namespace
}  // namespace bagel
