// Drawing with the half that draws in host memory: the same pictures, on less of the device's
// memory, which a picture gives back.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/cpu_ops.h"
#include "engine/engine.h"
#include "image/patches.h"
#include "model/bagel.h"
#include "model/layer_stream.h"
#include "model/quantize.h"
#include "ref/ref_ops.h"
#include "tests/golden.h"
#include "tests/gpu.h"
#include "tests/requests.h"

namespace bagel {
namespace {

namespace fs = std::filesystem;

// The small checkpoint of the recorded runs in another format.
class Quantized {
 public:
  explicit Quantized(const std::string& format)
      : folder_(fs::path(testing::TempDir()) /
                ("bagel-on-demand-" + format + "-" + std::to_string(getpid()))) {
    ThreadPool pool(2);
    QuantizeCheckpoint(kGoldenModel, folder_, FindPolicy(format), pool, nullptr);
  }
  ~Quantized() { fs::remove_all(folder_); }
  Quantized(const Quantized&) = delete;
  Quantized& operator=(const Quantized&) = delete;
  const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

void ExpectSameValues(const Weight& a, const Weight& b) {
  std::vector<float> of_a(static_cast<size_t>(a.in)), of_b(of_a.size());
  for (int64_t row = 0; row < a.out; ++row) {
    UnpackRow(a, row, of_a.data());
    UnpackRow(b, row, of_b.data());
    ASSERT_EQ(of_a, of_b) << WeightFormatName(a.format) << " row " << row;
  }
}

TEST(MovedWeightTest, HoldsTheSameValuesInEveryFormat) {
  const std::unique_ptr<Ops> ops = MakeCpuOps({.threads = 2});
  for (const char* format : {"nf4", "nf4-plain"}) {
    const Quantized model(format);
    const LoadedWeights loaded(model.folder(), LoadBagelConfig(model.folder()), *ops);
    const BagelWeights& weights = loaded.weights();
    for (const Weight* weight : {&weights.layers[1].gen.gate, &weights.vit_layers[0].fc1,
                                 &weights.connector_fc1, &weights.decoder.conv_in}) {
      std::vector<char> memory(MovedBytes(*weight));
      const char* end = memory.data();
      const Weight moved = Moved(*weight, memory.data(), [&](void* to, const void* from, size_t n) {
        EXPECT_GE(static_cast<char*>(to), end);
        end = static_cast<char*>(to) + n;
        std::memcpy(to, from, n);
      });
      EXPECT_LE(end, memory.data() + memory.size());
      EXPECT_EQ(moved.data, memory.data());
      EXPECT_EQ(moved.bias, weight->bias);
      ExpectSameValues(moved, *weight);
    }
  }
}

std::map<std::string, std::unique_ptr<Ops>> Devices() {
  std::map<std::string, std::unique_ptr<Ops>> devices;
  devices["Reference"] = MakeRefOps();
  devices["Cpu"] = MakeCpuOps({.threads = 2});
  for (const GpuProfile& gpu : GpuProfiles()) devices[gpu.name] = gpu.Make();
  return devices;
}

// Layers of different sizes in a device's host memory, all elements of a matrix the same.
class LayersOnHost {
 public:
  explicit LayersOnHost(Ops& ops) : ops_(ops) {
    weights_.gen_on_host = true;
    weights_.layers.resize(kLayers);
    for (size_t i = 0; i < kLayers; ++i) {
      ExpertLayer& gen = weights_.layers[i].gen;
      Weight* matrices[] = {&gen.q, &gen.k, &gen.v, &gen.o, &gen.gate, &gen.up, &gen.down};
      for (size_t m = 0; m < std::size(matrices); ++m) {
        const auto out = static_cast<int64_t>(1 + (i * 5 + m) % 7);
        const std::vector<uint16_t> values(static_cast<size_t>(out * kIn), Value(i, m));
        memory_.push_back(ops.AllocateHost(values.size() * sizeof(uint16_t)));
        std::memcpy(memory_.back(), values.data(), values.size() * sizeof(uint16_t));
        *matrices[m] = {WeightFormat::kF16, out, kIn, memory_.back()};
      }
    }
  }
  ~LayersOnHost() {
    for (void* memory : memory_) ops_.FreeHost(memory);
  }
  LayersOnHost(const LayersOnHost&) = delete;
  LayersOnHost& operator=(const LayersOnHost&) = delete;
  const BagelWeights& weights() const { return weights_; }

  void ExpectFetched(const DecoderLayer& layer, size_t index) const {
    const ExpertLayer& gen = layer.gen;
    const Weight* matrices[] = {&gen.q, &gen.k, &gen.v, &gen.o, &gen.gate, &gen.up, &gen.down};
    for (size_t m = 0; m < std::size(matrices); ++m) {
      std::vector<uint16_t> values(static_cast<size_t>(matrices[m]->out * kIn));
      ops_.CopyToHost(values.data(), matrices[m]->data, values.size() * sizeof(uint16_t));
      for (const uint16_t value : values) ASSERT_EQ(value, Value(index, m)) << "matrix " << m;
    }
  }

  static constexpr size_t kLayers = 5;

 private:
  static constexpr int64_t kIn = 96;
  static uint16_t Value(size_t layer, size_t matrix) {
    return static_cast<uint16_t>(1 + 16 * layer + matrix);
  }

  Ops& ops_;
  BagelWeights weights_;
  std::vector<void*> memory_;
};

TEST(LayerStreamTest, HasEachLayerWhileTheNextOneComes) {
  for (const auto& [name, ops] : Devices()) {
    SCOPED_TRACE(name);
    const LayersOnHost layers(*ops);
    LayerStream stream(*ops, layers.weights());
    for (int pass = 0; pass < 3; ++pass) {
      stream.Reserve();
      // The second pass is given up half-way.
      const size_t count = pass == 1 ? LayersOnHost::kLayers / 2 : LayersOnHost::kLayers;
      for (size_t i = 0; i < count; ++i) layers.ExpectFetched(stream.Fetch(*ops, i), i);
      if (pass == 1) stream.Release();
    }
  }
}

PictureRequest Request() { return DrawingOf("A red apple", {128, 128}, 3); }

TextRequest Question() { return QuestionFor(4); }

EventHandler Fulfil(std::promise<TextResult>& promise) {
  return [&promise](Event event) {
    if (auto* result = std::get_if<TextResult>(&event))
      promise.set_value(std::move(*result));
    else if (const auto* error = std::get_if<Error>(&event))
      promise.set_exception(std::make_exception_ptr(*error));
  };
}

EngineOptions Options(const std::string& device, DrawingHalf drawing,
                      const fs::path& model = kGoldenModel) {
  return {.model = model, .device = device, .threads = 2, .drawing = drawing};
}

std::vector<uint8_t> Draw(const EngineOptions& options) {
  return Engine::Load(options)->Draw(Request(), nullptr).picture.rgb;
}

TEST(OnDemandTest, IsTheSameAsAlwaysOnTheCpu) {
  EXPECT_EQ(Draw(Options("cpu", DrawingHalf::kOnDemand)),
            Draw(Options("cpu", DrawingHalf::kAlways)));
}

// On a GPU; how much of its memory is free can be said where it is emulated.
class OnDemandGpuTest : public testing::Test {
 protected:
  void SetUp() override {
    if (GpuProfiles().empty()) GTEST_SKIP() << "no GPU";
    gpu_ = MakeDevice("cuda", 0, false);
  }
  void TearDown() override { unsetenv(kFreeBytes); }

  // Leaves `bytes` to what is allocated from now on; false on a real GPU.
  bool Leave(size_t bytes) {
    unsetenv(kFreeBytes);
    const size_t used = kEmulatedBytes - gpu_->FreeBytes();
    setenv(kFreeBytes, std::to_string(used + bytes).c_str(), 1);
    return gpu_->FreeBytes() == bytes;
  }

  // What the error says that `body` ends with.
  static std::string OutOfMemory(const std::function<void()>& body) {
    try {
      body();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kOutOfMemory);
      return error.what();
    }
    return "no error";
  }

  // What is free when the model has been loaded.
  size_t FreeWith(DrawingHalf drawing) {
    const LoadedWeights weights(kDemoModel, LoadBagelConfig(kDemoModel), *gpu_, drawing);
    return gpu_->FreeBytes();
  }

  static constexpr const char* kDemoModel = "demo/model";  // seven layers
  static constexpr const char* kFreeBytes = "BAGEL_EMULATION_FREE_BYTES";
  static constexpr size_t kEmulatedBytes = size_t{1} << 34;
  std::unique_ptr<Ops> gpu_;
};

TEST_F(OnDemandGpuTest, DrawsTheSamePictureAndGivesTheMemoryBack) {
  const Quantized nf4("nf4");
  const std::vector<uint8_t> always = Draw(Options("cuda", DrawingHalf::kAlways, nf4.folder()));
  const auto engine = Engine::Load(Options("cuda", DrawingHalf::kOnDemand, nf4.folder()));
  const std::vector<int32_t> answer = engine->Run(Question(), nullptr).ids;
  // Between two moves the worker answers a text.
  std::promise<TextResult> between;
  size_t drawing = 0;
  const PictureResult result = engine->Draw(Request(), [&](const PictureProgress& progress) {
    drawing = gpu_->FreeBytes();
    if (progress.moves_done == 1) engine->Submit(Question(), Fulfil(between));
  });
  EXPECT_EQ(result.picture.rgb, always);
  EXPECT_EQ(between.get_future().get().ids, answer);
  engine->Run(Question(), nullptr);  // after the picture's end
  const size_t idle = gpu_->FreeBytes();
  EXPECT_GT(idle, drawing);

  // One that is cancelled on its way.
  std::promise<void> moved;
  std::promise<FinishReason> end;
  const auto job = engine->SubmitPicture(Request(), [&](const PictureEvent& event) {
    const auto* progress = std::get_if<PictureProgress>(&event);
    if (progress == nullptr)
      end.set_value(std::get<PictureResult>(event).finish_reason);
    else if (progress->moves_done == 1)
      moved.set_value();
  });
  moved.get_future().get();
  job->Cancel();
  EXPECT_EQ(end.get_future().get(), FinishReason::kCancelled);
  engine->Run(Question(), nullptr);
  EXPECT_EQ(gpu_->FreeBytes(), idle);
}

// As an edit does with its input picture, then a move.
TEST_F(OnDemandGpuTest, KeepsLatentsInTheContextAsAlways) {
  const BagelConfig config = LoadBagelConfig(kGoldenModel);
  const std::vector<int32_t> positions = PatchPositions(4, 3, 40);
  std::vector<float> values(positions.size() * static_cast<size_t>(config.latent.TokenSize()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) / 8 - 1;
  std::vector<std::vector<float>> velocities;
  for (const DrawingHalf drawing : {DrawingHalf::kAlways, DrawingHalf::kOnDemand}) {
    const LoadedWeights weights(kGoldenModel, config, *gpu_, drawing);
    EXPECT_EQ(weights.weights().gen_on_host, drawing == DrawingHalf::kOnDemand);
    KvPool pool(*gpu_, config.llm, 8);
    Bagel model(*gpu_, config, weights.weights(), {}, 64);
    Context context(pool);
    const LatentTokens picture{values, positions, 0.0f}, noise{values, positions, 0.5f};
    const StepInput kept{&context, {}, nullptr, false, &picture};
    const StepInput moved{&context, {}, nullptr, false, &noise, false};
    model.Run(std::span(&kept, 1), pool);
    const std::span<const float> velocity = model.Velocity(std::span(&moved, 1), pool);
    velocities.emplace_back(velocity.begin(), velocity.end());
  }
  EXPECT_EQ(velocities[1], velocities[0]);
}

TEST_F(OnDemandGpuTest, ItsLayersLeaveTheMemoryToOthers) {
  FreeWith(DrawingHalf::kAlways);  // the device takes memory of its own
  const size_t before = gpu_->FreeBytes(), always = before - FreeWith(DrawingHalf::kAlways);
  const size_t on_demand = before - FreeWith(DrawingHalf::kOnDemand);
  const size_t off = before - FreeWith(DrawingHalf::kOff);
  EXPECT_EQ(gpu_->FreeBytes(), before);
  std::printf("always %zu, on demand %zu, off %zu bytes\n", always, on_demand, off);
  EXPECT_LT(on_demand, always);
  EXPECT_LT(off, on_demand);
  // What is checked before loading, without and with the two layers that a step fetches.
  const size_t layers = (always - on_demand) * LayerStream::kLayersOnDevice / 7;
  if (!Leave((always + on_demand + layers) / 2)) GTEST_SKIP() << "not emulated";
  EXPECT_NO_THROW(FreeWith(DrawingHalf::kOnDemand));
  EXPECT_EQ(OutOfMemory([&] { FreeWith(DrawingHalf::kAlways); }).find("demo/model needs about "),
            0);
  Leave(on_demand + layers / 2);
  EXPECT_EQ(OutOfMemory([&] { FreeWith(DrawingHalf::kOnDemand); }).find("demo/model needs "), 0);
}

TEST_F(OnDemandGpuTest, APictureWithoutRoomFailsAlone) {
  const auto engine = Engine::Load(Options("cuda", DrawingHalf::kOnDemand));
  const std::vector<int32_t> answer = engine->Run(Question(), nullptr).ids;
  if (!Leave(1000)) GTEST_SKIP() << "not emulated";
  EXPECT_EQ(OutOfMemory([&] { engine->Draw(Request(), nullptr); }),
            "the GPU has 1 MB of 16385 MB free, 2 MB are needed");
  EXPECT_EQ(engine->Run(Question(), nullptr).ids, answer);
  unsetenv(kFreeBytes);
  EXPECT_EQ(engine->Draw(Request(), nullptr).picture.rgb,
            Draw(Options("cuda", DrawingHalf::kAlways)));
}

}  // namespace
}  // namespace bagel
