// A checkpoint quantised, loaded, and damaged.
#include "model/quantize.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <optional>

#include "cpu/cpu_ops.h"
#include "formats/safetensors_writer.h"
#include "formats/test_support.h"
#include "quant/codec.h"
#include "quant/half.h"

namespace bagel {
namespace {

namespace fs = std::filesystem;

constexpr const char* kQ = "language_model.model.layers.0.self_attn.q_proj.weight";
constexpr const char* kModel = "tests/golden/model";

void Quantize(const fs::path& to, const QuantizePolicy& policy, int threads = 2) {
  ThreadPool pool(threads);
  QuantizeCheckpoint(kModel, to, policy, pool, nullptr);
}

template <typename T>
std::vector<T> Values(const TensorEntry& entry) {
  std::vector<T> values(entry.data.size() / sizeof(T));
  std::memcpy(values.data(), entry.data.data(), entry.data.size());
  return values;
}

std::vector<float> Unpacked(const Weight& weight) {
  std::vector<float> values(static_cast<size_t>(weight.out * weight.in));
  for (int64_t row = 0; row < weight.out; ++row)
    UnpackRow(weight, row, values.data() + row * weight.in);
  return values;
}

TEST(QuantizeTest, EveryValueIsTheCodecs) {
  const TemporaryFolder folder;
  Quantize(folder.Path("double"), FindPolicy("nf4"));
  Quantize(folder.Path("plain"), FindPolicy("nf4-plain"), 1);
  const SafetensorsFolder source(kModel, {"ema"}), twice(folder.Path("double"), {"ema"}),
      plain(folder.Path("plain"), {"ema"});
  const BagelConfig config = LoadBagelConfig(kModel);
  for (const TensorSpec& spec : ExpectedTensors(config)) {
    const StoredFormat format = FindPolicy("nf4").FormatOf(spec);
    if (format == StoredFormat::kAsIs) {
      EXPECT_TRUE(std::ranges::equal(source.Get(spec.name).data, twice.Get(spec.name).data));
      continue;
    }
    const int64_t out = spec.shape[0], in = spec.shape[1];
    std::vector<float> values = Unpacked(FindWeight(source, spec.name, out, in)), expected(values);
    if (format == StoredFormat::kInt8Block64) {
      const Int8Block64 packed = PackInt8Block64(values, out, in);
      EXPECT_EQ(Values<int8_t>(twice.Get(spec.name)), packed.codes);
      continue;
    }
    const auto count = static_cast<int64_t>(values.size());
    std::vector<uint8_t> packed((values.size() + 1) / 2);
    std::vector<float> absmax(static_cast<size_t>(Nf4Blocks(count)));
    ASSERT_TRUE(PackNf4(values, packed.data(), absmax.data()));
    UnpackNf4(packed.data(), {Nf4Map().data(), absmax.data(), nullptr, nullptr, nullptr, 0}, 0,
              count, expected.data());
    EXPECT_EQ(Unpacked(FindWeight(plain, spec.name, out, in)), expected);
    const Nf4Nested nested = NestNf4(absmax);
    UnpackNf4(packed.data(),
              {Nf4Map().data(), nullptr, nested.codes.data(), nested.absmax.data(),
               Nf4NestedMap().data(), nested.offset},
              0, count, expected.data());
    EXPECT_EQ(Unpacked(FindWeight(twice, spec.name, out, in)), expected);
  }
  for (const char* name : {"ae.safetensors", "vocab.json", "llm_config.json", "config.json"})
    EXPECT_EQ(ReadBytes(folder.Path("double/") + name),
              ReadBytes(std::string(kModel) + "/" + name));
}

TEST(QuantizeTest, KeepsWhatPatternsFit) {
  const TemporaryFolder folder;
  QuantizePolicy policy = FindPolicy("nf4");
  policy.keep = {"*.layers.0.*", "language_model.lm_head.*"};
  Quantize(folder.Path("out"), policy);
  const SafetensorsFolder made(folder.Path("out"), {"ema"});
  EXPECT_EQ(made.Get(kQ).dtype, DType::kBF16);
  EXPECT_EQ(made.Get("language_model.lm_head.weight").dtype, DType::kBF16);
  EXPECT_EQ(made.Get("language_model.model.layers.1.self_attn.q_proj.weight").dtype, DType::kU8);
  const std::unique_ptr<Ops> ops = MakeCpuOps({.threads = 1, .exact = true});
  const LoadedWeights weights(folder.Path("out"), LoadBagelConfig(kModel), *ops);
  const LoadedWeights whole(kModel, LoadBagelConfig(kModel), *ops);
  EXPECT_EQ(weights.parameters(), whole.parameters());
  EXPECT_EQ(weights.weights().layers[0].und.q.format, WeightFormat::kBF16);
  EXPECT_EQ(weights.weights().layers[1].und.q.format, WeightFormat::kNf4);
}

TEST(QuantizeTest, RefusesWhatCannotBe) {
  const TemporaryFolder folder;
  QuantizePolicy policy = FindPolicy("nf4");
  EXPECT_BAGEL_ERROR(FindPolicy("nf5"), ErrorKind::kInvalidArgument,
                     "the format is \"nf5\", expected nf4 or nf4-plain");
  EXPECT_BAGEL_ERROR(Quantize(folder.path(), policy), ErrorKind::kInvalidArgument,
                     folder.path() + " exists already, expected a new folder");
  policy.keep = {"no.such.*"};
  EXPECT_BAGEL_ERROR(Quantize(folder.Path("out"), policy), ErrorKind::kInvalidArgument,
                     "the pattern \"no.such.*\" fits no tensor of tests/golden/model");
  policy.keep.clear();
  Quantize(folder.Path("out"), policy);
  ThreadPool pool(1);
  EXPECT_THROW(QuantizeCheckpoint(folder.Path("out"), folder.Path("again"), policy, pool, nullptr),
               Error);
  EXPECT_THROW(Quantize(folder.Path("no/such/parent"), policy), Error);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(QuantizeTest, InterruptedOrFullLeavesNothing) {
  const TemporaryFolder folder;
  ThreadPool pool(2);
  const QuantizePolicy policy = FindPolicy("nf4");
  for (const uint64_t limit : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 20}) {
    try {
      QuantizeCheckpoint(kModel, folder.Path("out"), policy, pool,
                         [&](uint64_t done, uint64_t) { return done < limit; });
      ADD_FAILURE() << "not interrupted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
    }
    EXPECT_TRUE(fs::is_empty(folder.path()));
  }
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1 << 18, before.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_THROW(Quantize(folder.Path("out"), policy), Error);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

// One tensor of an NF4 weight, as a damaged file could have it.
struct Damage {
  std::string suffix;
  std::optional<TensorDeclaration> declaration;  // none: the tensor is missing
  std::vector<std::byte> bytes;
  std::string expected;  // part of the message
};

template <typename T>
std::vector<std::byte> ToBytes(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

Damage StateDamage(const std::string& text, const std::string& expected) {
  const std::vector<char> bytes(text.begin(), text.end());
  return {std::string(kNf4StateSuffix),
          TensorDeclaration{"", DType::kU8, {static_cast<int64_t>(text.size())}}, ToBytes(bytes),
          expected};
}

Damage FloatDamage(const std::string& suffix, const std::vector<float>& values,
                   const std::string& expected) {
  return {suffix, TensorDeclaration{"", DType::kF32, {static_cast<int64_t>(values.size())}},
          ToBytes(values), expected};
}

std::vector<Damage> AllDamages() {
  const std::string start = "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"shape\": ";
  const std::string end = ", \"nested_blocksize\": 256, \"nested_offset\": 0.1}";
  std::vector<float> map(16, NAN), nested_map(256, INFINITY);
  std::vector<Damage> damages = {
      StateDamage("", "JSON"),
      StateDamage("[1]", "object"),
      StateDamage("{\"quant_type\": 4}", "quant_type"),
      StateDamage("{\"quant_type\": \"fp4\", \"blocksize\": 64}", "fp4"),
      StateDamage("{\"quant_type\": \"nf4\", \"blocksize\": 128}", "found 128"),
      StateDamage("{\"quant_type\": \"nf4\", \"blocksize\": -64}", "blocksize"),
      StateDamage("{\"quant_type\": \"nf4\"}", "blocksize"),
      StateDamage(start + "[1, 2]" + end, "found [1, 2]"),
      StateDamage(start + "[99999999999, 99999999999]" + end, "shape"),
      StateDamage(start + "[]" + end, "found []"),
      StateDamage(start + "\"x\"" + end, "shape"),
      StateDamage(start + "[256, 256]}", "nested_blocksize"),
      StateDamage(start + "[256, 256], \"nested_blocksize\": 64, \"nested_offset\": 0}",
                  "found 64"),
      StateDamage(start + "[256, 256], \"nested_blocksize\": 256}", "nested_offset"),
      StateDamage(start + "[256, 256], \"nested_blocksize\": 256, \"nested_offset\": NaN}", "JSON"),
      StateDamage(start + "[256, 256], \"nested_blocksize\": 256, \"nested_offset\": 1e39}",
                  "nested_offset"),
      StateDamage(std::string(5000, ' '), "at most 4096"),
      FloatDamage(".quant_map", map, "between -1 and 1"),
      FloatDamage(".quant_map", {1, 2}, "F32 [16]"),
      FloatDamage(".nested_quant_map", nested_map, "between -1 and 1"),
      FloatDamage(".nested_absmax", {1, 2, 3}, "found F32 [3]"),
      FloatDamage(".nested_absmax", {1, 2, 3, NAN}, "finite"),
      FloatDamage(".absmax", {1}, "[1024]"),
      {"", TensorDeclaration{"", DType::kU8, {5, 1}}, std::vector<std::byte>(5), "found U8 [5, 1]"},
      {"", TensorDeclaration{"", DType::kBF16, {256, 256}}, std::vector<std::byte>(131072), "U8"},
  };
  for (const char* suffix : {"", ".absmax", ".quant_map", ".nested_quant_map", ".nested_absmax",
                             ".quant_state.bitsandbytes__nf4"})
    damages.push_back({suffix, std::nullopt, {}, suffix});
  return damages;
}

TEST(QuantizeTest, DamagedStatesAreNamed) {
  const TemporaryFolder folder;
  Quantize(folder.Path("good"), FindPolicy("nf4"));
  const SafetensorsFile good(folder.Path("good/ema.safetensors"));
  fs::create_directory(folder.Path("bad"));
  const std::string bad = folder.Path("bad/ema.safetensors");
  int64_t out = 256, in = 256;
  for (const Damage& damage : AllDamages()) {
    std::vector<TensorDeclaration> declarations;
    std::vector<std::vector<std::byte>> contents;
    for (const auto& [name, entry] : good.tensors()) {
      if (!name.starts_with(kQ)) continue;
      const bool hit = name == kQ + damage.suffix;
      if (hit && !damage.declaration) continue;
      TensorDeclaration declaration =
          hit ? *damage.declaration : TensorDeclaration{"", entry.dtype, entry.shape};
      declaration.name = name;
      declarations.push_back(declaration);
      contents.push_back(hit ? damage.bytes
                             : std::vector<std::byte>(entry.data.begin(), entry.data.end()));
    }
    SafetensorsWriter writer(bad, declarations);
    for (size_t i = 0; i < declarations.size(); ++i)
      writer.Append(declarations[i].name, contents[i]);
    writer.Finish();
    const SafetensorsFolder checkpoint(folder.Path("bad"), {"ema"});
    try {
      FindWeight(checkpoint, kQ, out, in);
      ADD_FAILURE() << damage.suffix << " was accepted, expected " << damage.expected;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find(folder.Path("bad")), std::string::npos) << message;
      EXPECT_NE(message.find(kQ), std::string::npos) << message;
      EXPECT_NE(message.find(damage.expected), std::string::npos) << message;
      EXPECT_TRUE(error.kind() == ErrorKind::kCorrupt || error.kind() == ErrorKind::kUnsupported)
          << message;
    }
  }
}

TEST(QuantizeTest, StateTextIsBitsandbytes) {
  const SafetensorsFile golden("tests/golden/nf4/cases.safetensors");
  int cases = 0;
  for (const auto& [name, entry] : golden.tensors()) {
    const size_t suffix = name.find(kNf4StateSuffix);
    if (suffix == std::string::npos) continue;
    const std::string text(reinterpret_cast<const char*>(entry.data.data()), entry.data.size());
    const auto offset = static_cast<float>(std::stod(text.substr(text.rfind(':') + 1)));
    const std::string source = name.substr(0, name.find('.')) + ".source";
    EXPECT_EQ(Nf4StateText("float16", golden.Find(source)->shape, &offset), text);
    ++cases;
  }
  EXPECT_EQ(cases, 8);
}

// The published model's shape, whose weights are bf16 and whose VAE has 83.8 million f32 values.
TEST(QuantizeTest, TheRealModelFits) {
  constexpr int64_t kVaeBytes = 335'304'388;
  const DeviceNeeds needs = PredictNeeds(BagelConfig(), FindPolicy("nf4"), 2);
  EXPECT_LE(needs.understand, 4'200'000'000);
  EXPECT_LE(needs.draw + kVaeBytes, 8'000'000'000);
  std::printf("understand %.3f GB, draw %.3f GB\n", static_cast<double>(needs.understand) / 1e9,
              static_cast<double>(needs.draw + kVaeBytes) / 1e9);
  const TemporaryFolder folder;
  Quantize(folder.Path("out"), FindPolicy("nf4"));
  const SafetensorsFolder made(folder.Path("out"), {"ema"});
  const BagelConfig config = LoadBagelConfig(kModel);
  const DeviceNeeds measured = MeasureNeeds(made.tensors(), config);
  const DeviceNeeds predicted = PredictNeeds(config, FindPolicy("nf4"), 2);
  EXPECT_NEAR(static_cast<double>(measured.draw), static_cast<double>(predicted.draw),
              0.05 * static_cast<double>(predicted.draw));
}

}  // namespace
}  // namespace bagel
