// Checkpoints as people have them: whole, in shards, in other types, and broken in every way that
// the names, shapes and types of tensors can be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/engine.h"
#include "formats/json.h"
#include "formats/safetensors_writer.h"
#include "quant/half.h"
#include "tests/golden.h"

namespace bagel {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct StoredTensor {
  DType dtype;
  std::vector<int64_t> shape;
  std::vector<std::byte> data;
};
using Tensors = std::map<std::string, StoredTensor>;

Tensors ReadGolden() {
  const SafetensorsFile file(std::string(kGoldenModel) + "/ema.safetensors");
  Tensors tensors;
  for (const auto& [name, entry] : file.tensors())
    tensors[name] = {entry.dtype, entry.shape, {entry.data.begin(), entry.data.end()}};
  return tensors;
}

void Write(const Tensors& tensors, const std::string& path) {
  std::vector<TensorDeclaration> declarations;
  for (const auto& [name, tensor] : tensors)
    declarations.push_back({name, tensor.dtype, tensor.shape});
  SafetensorsWriter writer(path, declarations);
  for (const auto& [name, tensor] : tensors) writer.Append(name, tensor.data);
  writer.Finish();
}

// A model folder with the golden's small files and the given tensors.
class Model {
 public:
  explicit Model(const Tensors& tensors) : Model() {
    Write(tensors, folder_.Path("ema.safetensors"));
  }
  Model() {
    for (const char* name : {"llm_config.json", "vit_config.json", "config.json", "bagel.json",
                             "vocab.json", "merges.txt", "tokenizer_config.json"})
      fs::copy_file(fs::path(kGoldenModel) / name, folder_.Path(name));
  }
  const TemporaryFolder& folder() const { return folder_; }

  std::unique_ptr<Engine> Load() const {
    return Engine::Load({.model = folder_.path(), .device = "cpu", .threads = 1, .exact = true});
  }
  std::vector<int32_t> Ids() const {
    TextRequest request;
    request.parts = {std::string("Hello, who are you?")};
    request.sampling.temperature = 0;
    request.num_predict = 8;
    return Load()->Run(request, nullptr).ids;
  }
  std::string LoadError() const {
    try {
      Load();
    } catch (const Error& error) {
      return error.what();
    }
    return "loaded";
  }

 private:
  TemporaryFolder folder_;
};

constexpr const char* kGate = "language_model.model.layers.1.mlp.gate_proj.weight";

Tensors Converted(DType dtype) {
  Tensors tensors = ReadGolden();
  for (auto& [name, tensor] : tensors) {
    const auto* halves = reinterpret_cast<const uint16_t*>(tensor.data.data());
    const size_t count = tensor.data.size() / 2;
    std::vector<std::byte> data(count * DTypeSize(dtype));
    for (size_t i = 0; i < count; ++i) {
      const float value = BF16ToF32(halves[i]);
      if (dtype == DType::kF32)
        reinterpret_cast<float*>(data.data())[i] = value;
      else
        reinterpret_cast<uint16_t*>(data.data())[i] = F32ToF16(value);
    }
    tensor.data = std::move(data);
    tensor.dtype = dtype;
  }
  return tensors;
}

TEST(CheckpointTest, TypesAndShardsGiveTheSameText) {
  const Tensors tensors = ReadGolden();
  const std::vector<int32_t> ids = Model(tensors).Ids();
  EXPECT_EQ(Model(Converted(DType::kF32)).Ids(), ids);
  EXPECT_EQ(Model(Converted(DType::kF16)).Ids(), ids);

  Model sharded;
  Tensors first, second;
  Json map;
  for (const auto& [name, tensor] : tensors) {
    const bool even = first.size() <= second.size();
    (even ? first : second)[name] = tensor;
    map[name] = even ? "a.safetensors" : "b.safetensors";
  }
  Write(first, sharded.folder().Path("a.safetensors"));
  Write(second, sharded.folder().Path("b.safetensors"));
  sharded.folder().Write("ema.safetensors.index.json", Json{{"weight_map", map}}.dump());
  EXPECT_EQ(sharded.Ids(), ids);
}

TEST(CheckpointTest, MissingTensorIsNamed) {
  Tensors tensors = ReadGolden();
  tensors.erase(kGate);
  EXPECT_THAT(Model(tensors).LoadError(), HasSubstr(kGate));
}

TEST(CheckpointTest, WrongShapeIsNamedWithBoth) {
  Tensors tensors = ReadGolden();
  tensors[kGate].shape = {256, 384};
  const std::string error = Model(tensors).LoadError();
  EXPECT_THAT(error, HasSubstr(kGate));
  EXPECT_THAT(error, HasSubstr("[384, 256]"));
  EXPECT_THAT(error, HasSubstr("[256, 384]"));
}

TEST(CheckpointTest, WrongTypeIsNamed) {
  Tensors tensors = ReadGolden();
  tensors[kGate].dtype = DType::kI16;
  const std::string error = Model(tensors).LoadError();
  EXPECT_THAT(error, HasSubstr(kGate));
  EXPECT_THAT(error, HasSubstr("I16"));
  tensors = ReadGolden();
  tensors[kGate].dtype = DType::kI8;
  tensors[kGate].data.resize(tensors[kGate].data.size() / 2);
  EXPECT_THAT(Model(tensors).LoadError(), HasSubstr(kGate)) << "I8 without its scales";
}

TEST(CheckpointTest, SettingsThatContradictTheTensors) {
  Model model(ReadGolden());
  Json config = ReadJsonFile(model.folder().Path("llm_config.json"));
  for (const auto& [key, value] : {std::pair<const char*, Json>{"num_attention_heads", 3},
                                   {"num_key_value_heads", 7},
                                   {"hidden_size", -4},
                                   {"num_hidden_layers", 1e9},
                                   {"hidden_size", "wide"},
                                   {"vocab_size", nullptr},
                                   {"rms_norm_eps", "x"},
                                   {"num_hidden_layers", 3}}) {
    Json changed = config;
    changed[key] = value;
    model.folder().Write("llm_config.json", changed.dump());
    EXPECT_NE(model.LoadError(), "loaded") << key << " " << value;
  }
}

TEST(CheckpointTest, WithoutPublishedExtras) {
  Model model(ReadGolden());
  fs::remove(model.folder().Path("config.json"));
  EXPECT_EQ(model.LoadError(), "loaded");
  fs::remove(model.folder().Path("ema.safetensors"));
  EXPECT_THAT(model.LoadError(), HasSubstr("ema.safetensors"));
}

}  // namespace
}  // namespace bagel
