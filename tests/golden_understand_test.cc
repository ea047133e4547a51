// Every recorded stage of the reference's understanding path, on every device.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cpu/cpu_ops.h"
#include "model/bagel.h"
#include "model/quantize.h"
#include "ref/ref_ops.h"
#include "tests/golden.h"
#include "tests/gpu.h"
#include "text/protocol.h"
#include "text/tokenizer.h"

namespace bagel {
namespace {

struct Device {
  std::string name;
  std::function<std::unique_ptr<Ops>()> make;
  double tolerance;  // relative L2 error of a stage
};

std::vector<Device> Devices() {
  std::vector<Device> devices = {
      {"Reference", [] { return MakeRefOps(); }, 1e-5},
      {"CpuExact", [] { return MakeCpuOps({.threads = 2, .exact = true}); }, 1e-4},
      // 1.2e-2 seen: the logits of the short text.
      {"Int8Cache", [] { return MakeCpuOps({.threads = 2, .exact = true, .int8_cache = true}); },
       2e-2},
  };
  for (const GpuProfile& gpu : GpuProfiles())
    devices.push_back({gpu.name, [gpu] { return gpu.Make(); }, 5e-3});
  return devices;
}

// A model on a device, one context, and the recorded run to compare with.
class GoldenRun {
 public:
  GoldenRun(const Device& device, const std::string& golden,
            const std::string& model = kGoldenModel)
      : device_(device),
        golden_("tests/golden/understand/" + golden + ".safetensors"),
        ops_(device.make()),
        recorder_(*ops_),
        tokenizer_(Tokenizer::Load(kGoldenModel)),
        specials_(ProtocolIds::From(tokenizer_)),
        config_(LoadBagelConfig(kGoldenModel)),
        weights_(model, config_, *ops_),
        pool_(*ops_, config_.llm, 32),
        model_(*ops_, config_, weights_.weights(), {specials_.vision_start, specials_.vision_end},
               config_.MaxImageRows()),
        context_(pool_) {}

  void AddImage(const std::string& file) {
    const ImagePatches image = PrepareImage(ReadPicture("tests/golden/images/" + file), config_);
    const StepInput input{&context_, {}, &image, false};
    model_.Run(std::span(&input, 1), pool_, "image");
    ComparePositions("image");
  }

  void AddText(const std::string& text, const std::string& name) {
    const std::vector<int32_t> ids = WrapText(specials_, tokenizer_.Encode(text, Specials::kPlain));
    const StepInput input{&context_, ids, nullptr, false};
    model_.Run(std::span(&input, 1), pool_, name);
    ComparePositions(name);
  }

  // Greedy decoding, all recorded ids and the first logits.
  void Decode() {
    const std::vector<int32_t> ids = Values<int32_t>(golden_.tensors().at("ids"));
    const std::vector<float> golden_logits = Values<float>(golden_.tensors().at("logits"));
    const size_t vocabulary = static_cast<size_t>(config_.llm.vocabulary);
    int32_t id = specials_.im_start;
    for (size_t i = 0; i < ids.size(); ++i) {
      ASSERT_EQ(id, ids[i]) << "token " << i;
      const StepInput input{&context_, {id}, nullptr, true};
      const std::span<const float> logits =
          model_.Run(std::span(&input, 1), pool_, "decode" + std::to_string(i));
      if ((i + 1) * vocabulary <= golden_logits.size()) {
        const auto expected = std::span(golden_logits).subspan(i * vocabulary, vocabulary);
        EXPECT_LE(RelativeError(logits, expected), device_.tolerance) << "logits " << i;
      }
      id = static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    }
  }

  // All stages that were recorded must have been traced and agree.
  void CompareStages() {
    for (const auto& [name, entry] : golden_.tensors()) {
      if (entry.dtype != DType::kF32 || name == "logits") continue;
      const auto stage = recorder_.stages().find(name);
      ASSERT_NE(stage, recorder_.stages().end()) << name;
      const double error = RelativeError(stage->second, Values<float>(entry));
      EXPECT_LE(error, device_.tolerance) << name;
      worst_ = std::max(worst_, error);
    }
    std::printf("%s: worst stage error %.2g\n", device_.name.c_str(), worst_);
  }

 private:
  void ComparePositions(const std::string& name) {
    const TensorEntry* entry = golden_.Find(name + ".positions");
    if (entry == nullptr) return;
    EXPECT_EQ(ops_->step().positions, Values<int32_t>(*entry)) << name;
  }

  const Device& device_;
  SafetensorsFile golden_;
  std::unique_ptr<Ops> ops_;
  TraceRecorder recorder_;
  Tokenizer tokenizer_;
  ProtocolIds specials_;
  BagelConfig config_;
  LoadedWeights weights_;
  KvPool pool_;
  Bagel model_;
  Context context_;
  double worst_ = 0;
};

class GoldenUnderstandTest : public testing::TestWithParam<Device> {};

TEST_P(GoldenUnderstandTest, Astronaut) {
  GoldenRun run(GetParam(), "astronaut");
  run.AddImage("astronaut.png");
  run.AddText("Describe this image.", "text");
  run.Decode();
  run.CompareStages();
}

TEST_P(GoldenUnderstandTest, CoffeeThink) {
  GoldenRun run(GetParam(), "coffee_think");
  run.AddText(std::string(kThinkUnderstandPrompt), "system");
  run.AddImage("coffee.png");
  run.AddText("What is on the table?", "text");
  run.Decode();
  run.CompareStages();
}

TEST_P(GoldenUnderstandTest, TextOnly) {
  GoldenRun run(GetParam(), "text_only");
  run.AddText("Hello, who are you?", "text");
  run.Decode();
  run.CompareStages();
}

// The recorded run had every linear layer of the decoder replaced by its NF4 value.
TEST_P(GoldenUnderstandTest, AstronautNf4) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) /
      ("bagel-nf4-" + std::to_string(getpid()) + "-" + GetParam().name);
  ThreadPool pool(2);
  const QuantizePolicy policy{{{TensorRole::kDecoder, StoredFormat::kNf4}}, {}};
  QuantizeCheckpoint(kGoldenModel, folder, policy, pool, nullptr);
  {
    GoldenRun run(GetParam(), "astronaut_nf4", folder.string());
    run.AddImage("astronaut.png");
    run.AddText("Describe this image.", "text");
    run.Decode();
    run.CompareStages();
  }
  std::filesystem::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Devices, GoldenUnderstandTest, testing::ValuesIn(Devices()),
                         [](const auto& device) { return device.param.name; });

}  // namespace
}  // namespace bagel
