// The reference's recorded pictures: velocities, latents and pixels, on every device.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/cpu_ops.h"
#include "engine/drawing.h"
#include "formats/json.h"
#include "model/quantize.h"
#include "ref/ref_ops.h"
#include "tests/golden.h"
#include "tests/gpu.h"

namespace bagel {
namespace {

struct Device {
  std::string name;
  std::function<std::unique_ptr<Ops>()> make;
  double tolerance;  // relative L2 error of velocities and latents
};

std::vector<Device> Devices() {
  std::vector<Device> devices = {
      {"Reference", [] { return MakeRefOps(); }, 1e-4},
      {"CpuExact", [] { return MakeCpuOps({.threads = 2, .exact = true}); }, 1e-3},
      // 5.9e-3 seen.
      {"Int8Cache", [] { return MakeCpuOps({.threads = 2, .exact = true, .int8_cache = true}); },
       1e-2},
  };
  for (const GpuProfile& gpu : GpuProfiles())
    devices.push_back({gpu.name, [gpu] { return gpu.Make(); }, 5e-3});
  return devices;
}

// [h * w, channels] -> [channels, h, w].
std::vector<float> ByChannel(const std::vector<float>& pixels, size_t channels) {
  std::vector<float> turned(pixels.size());
  const size_t count = pixels.size() / channels;
  for (size_t i = 0; i < pixels.size(); ++i)
    turned[i % channels * count + i / channels] = pixels[i];
  return turned;
}

PictureRequest ReadRequest(const Json& json) {
  PictureRequest request;
  request.parts = {json["prompt"].get<std::string>()};
  request.size = PictureSize{json["shape"][1], json["shape"][0]};
  request.seed = json["seed"].get<uint64_t>();
  request.think = json["think"];
  if (request.think) request.plan_tokens = json["max_think_token_n"].get<int64_t>() - 1;
  request.flow = {json["num_timesteps"],
                  json["timestep_shift"],
                  json["cfg_text_scale"],
                  json["cfg_img_scale"],
                  json["cfg_interval"][0],
                  json["cfg_interval"][1],
                  RenormFromName(json["cfg_renorm_type"].get<std::string>()),
                  json["cfg_renorm_min"],
                  json["enable_taylorseer"]};
  return request;
}

class GoldenDrawing {
 public:
  GoldenDrawing(const Device& device, const std::string& folder = kGoldenModel)
      : device_(device),
        ops_(device.make()),
        config_(LoadBagelConfig(folder)),
        weights_(folder, config_, *ops_) {}

  void Compare(const std::string& name, const std::string& image = "") {
    const std::string path = "tests/golden/" + name;
    const Json json = ReadJsonFile(path + ".json");
    const SafetensorsFile golden(path + ".safetensors");
    PictureRequest request = ReadRequest(json);
    if (!image.empty())
      request.parts.insert(request.parts.begin(), ReadPicture("tests/golden/images/" + image));
    Drawing drawing(request, model_, *ops_, pool_, tokenizer_, specials_, 8192);
    EXPECT_EQ(drawing.moves() + 1, json["num_timesteps"].get<int>());
    std::vector<float> first, last;
    while (!drawing.done()) {
      const int moves = drawing.moves_done();
      drawing.Step(nullptr);
      if (drawing.moves_done() > moves) last = drawing.velocity();
      if (drawing.moves_done() == 1 && moves == 0) first = last;
    }
    const auto expect = [&](const char* tensor, const std::vector<float>& values) {
      const double error = RelativeError(values, Values<float>(*golden.Find(tensor)));
      EXPECT_LE(error, device_.tolerance) << name << " " << tensor;
      std::printf("%s %s %s: %.2g\n", device_.name.c_str(), name.c_str(), tensor, error);
    };
    expect("v_first", first);
    expect("v_last", last);
    const LatentGrid grid{drawing.size().height / config_.TokenPixels(),
                          drawing.size().width / config_.TokenPixels(), config_.latent.patch,
                          config_.latent.channels};
    expect("latent", ByChannel(FromTokens(grid, drawing.latents()),
                               static_cast<size_t>(config_.latent.channels)));
    EXPECT_EQ(drawing.plan(), json["text"].is_null() ? "" : json["text"].get<std::string>());
    ComparePictures(drawing.picture(), ReadPicture(path + ".png"));
    EXPECT_EQ(drawing.forwards(), CountForwards(request.flow, request.think || !image.empty()));
  }

 private:
  // Within one level on 99.9 % of the pixels.
  static void ComparePictures(const Picture& actual, const Picture& expected) {
    ASSERT_EQ(actual.width, expected.width);
    ASSERT_EQ(actual.height, expected.height);
    int64_t off = 0;
    for (size_t i = 0; i < actual.rgb.size(); i += 3) {
      int largest = 0;
      for (size_t c = i; c < i + 3; ++c)
        largest = std::max(largest, std::abs(actual.rgb[c] - expected.rgb[c]));
      off += largest > 1 ? 1 : 0;
    }
    EXPECT_LE(off * 1000, actual.width * actual.height);
  }

  const Device& device_;
  std::unique_ptr<Ops> ops_;
  Tokenizer tokenizer_ = Tokenizer::Load(kGoldenModel);
  ProtocolIds specials_ = ProtocolIds::From(tokenizer_);
  BagelConfig config_;
  LoadedWeights weights_;
  KvPool pool_{*ops_, config_.llm, 80};
  Bagel model_{*ops_,
               config_,
               weights_.weights(),
               {specials_.vision_start, specials_.vision_end},
               config_.MaxImageRows()};
};

class GoldenDrawTest : public testing::TestWithParam<Device> {};

TEST_P(GoldenDrawTest, GlobalCfg) { GoldenDrawing(GetParam()).Compare("generate/global_cfg"); }
TEST_P(GoldenDrawTest, ChannelThreeWay) {
  GoldenDrawing(GetParam()).Compare("generate/channel_three_way");
}
TEST_P(GoldenDrawTest, TaylorSeer) { GoldenDrawing(GetParam()).Compare("generate/taylorseer"); }
TEST_P(GoldenDrawTest, Think) { GoldenDrawing(GetParam()).Compare("generate/think"); }
TEST_P(GoldenDrawTest, EditTextChannel) {
  GoldenDrawing(GetParam()).Compare("edit/text_channel", "coffee.png");
}

// The recorded run had every linear layer of the decoder replaced by its NF4 value.
TEST_P(GoldenDrawTest, GlobalCfgNf4) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) /
      ("bagel-draw-nf4-" + std::to_string(getpid()) + "-" + GetParam().name);
  ThreadPool pool(2);
  const QuantizePolicy policy{{{TensorRole::kDecoder, StoredFormat::kNf4}}, {}};
  QuantizeCheckpoint(kGoldenModel, folder, policy, pool, nullptr);
  GoldenDrawing(GetParam(), folder.string()).Compare("generate/global_cfg_nf4");
  std::filesystem::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Devices, GoldenDrawTest, testing::ValuesIn(Devices()),
                         [](const auto& device) { return device.param.name; });

}  // namespace
}  // namespace bagel
