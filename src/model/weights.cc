#include "model/weights.h"

#include <algorithm>
#include <optional>

#include "quant/half.h"

namespace bagel {
namespace {

// Suffixes of a checkpoint's names: the understanding expert's tensors have none.
constexpr const char* kUnd = "";
constexpr const char* kGen = "_moe_gen";

// Calls visitor.Matrix(Weight&, name, out, in, has_bias), visitor.Table(Weight&, name, out, in) and
// visitor.Vector(const float*&, name, size) for every tensor, which is how names, shapes and fields
// are tied together in one place.
template <typename Visitor>
void VisitExpert(Visitor& visitor, const LlmConfig& llm, const std::string& layer,
                 const std::string& suffix, ExpertLayer& expert) {
  const int64_t q = llm.heads * llm.head_dim, kv = llm.kv_heads * llm.head_dim;
  const std::string attention = layer + "self_attn.", mlp = layer + "mlp" + suffix + ".";
  const auto name = [&](const char* part) { return attention + part + suffix; };
  visitor.Vector(expert.input_norm, layer + "input_layernorm" + suffix + ".weight", llm.hidden);
  visitor.Matrix(expert.q, name("q_proj"), q, llm.hidden, true);
  visitor.Matrix(expert.k, name("k_proj"), kv, llm.hidden, true);
  visitor.Matrix(expert.v, name("v_proj"), kv, llm.hidden, true);
  visitor.Matrix(expert.o, name("o_proj"), llm.hidden, q, false);
  visitor.Vector(expert.q_norm, name("q_norm") + ".weight", llm.head_dim);
  visitor.Vector(expert.k_norm, name("k_norm") + ".weight", llm.head_dim);
  visitor.Vector(expert.post_attention_norm,
                 layer + "post_attention_layernorm" + suffix + ".weight", llm.hidden);
  visitor.Matrix(expert.gate, mlp + "gate_proj", llm.intermediate, llm.hidden, false);
  visitor.Matrix(expert.up, mlp + "up_proj", llm.intermediate, llm.hidden, false);
  visitor.Matrix(expert.down, mlp + "down_proj", llm.hidden, llm.intermediate, false);
}

std::string LayerPrefix(int64_t layer) {
  return "language_model.model.layers." + std::to_string(layer) + ".";
}

template <typename Visitor>
void VisitLayerNorm(Visitor& visitor, const std::string& name, int64_t size,
                    LayerNormWeights& norm) {
  visitor.Vector(norm.weight, name + ".weight", size);
  visitor.Vector(norm.bias, name + ".bias", size);
}

template <typename Visitor>
void VisitVit(Visitor& visitor, const BagelConfig& config, BagelWeights& weights) {
  const VitConfig& vit = config.vit;
  const std::string prefix = "vit_model.vision_model.";
  const int64_t table = vit.max_patches_per_side * vit.max_patches_per_side;
  visitor.Matrix(weights.vit_patch_embedding, prefix + "embeddings.patch_embedding", vit.hidden,
                 3 * vit.patch * vit.patch, true);
  visitor.Table(weights.vit_position_embedding, prefix + "embeddings.position_embedding.weight",
                table, vit.hidden);
  weights.vit_layers.resize(static_cast<size_t>(vit.layers));
  for (int64_t i = 0; i < vit.layers; ++i) {
    VitLayer& layer = weights.vit_layers[static_cast<size_t>(i)];
    const std::string name = prefix + "encoder.layers." + std::to_string(i) + ".";
    VisitLayerNorm(visitor, name + "layer_norm1", vit.hidden, layer.norm1);
    visitor.Matrix(layer.q, name + "self_attn.q_proj", vit.hidden, vit.hidden, true);
    visitor.Matrix(layer.k, name + "self_attn.k_proj", vit.hidden, vit.hidden, true);
    visitor.Matrix(layer.v, name + "self_attn.v_proj", vit.hidden, vit.hidden, true);
    visitor.Matrix(layer.out, name + "self_attn.out_proj", vit.hidden, vit.hidden, true);
    VisitLayerNorm(visitor, name + "layer_norm2", vit.hidden, layer.norm2);
    visitor.Matrix(layer.fc1, name + "mlp.fc1", vit.intermediate, vit.hidden, true);
    visitor.Matrix(layer.fc2, name + "mlp.fc2", vit.hidden, vit.intermediate, true);
  }
  VisitLayerNorm(visitor, prefix + "post_layernorm", vit.hidden, weights.vit_post_norm);
  visitor.Matrix(weights.connector_fc1, "connector.fc1", config.llm.hidden, vit.hidden, true);
  visitor.Matrix(weights.connector_fc2, "connector.fc2", config.llm.hidden, config.llm.hidden,
                 true);
  visitor.Table(weights.vit_pos_embed, "vit_pos_embed.pos_embed", table, config.llm.hidden);
}

template <typename Visitor>
void VisitUnderstanding(Visitor& visitor, const BagelConfig& config, BagelWeights& weights) {
  const LlmConfig& llm = config.llm;
  visitor.Table(weights.embed_tokens, "language_model.model.embed_tokens.weight", llm.vocabulary,
                llm.hidden);
  weights.layers.resize(static_cast<size_t>(llm.layers));
  for (int64_t i = 0; i < llm.layers; ++i)
    VisitExpert(visitor, llm, LayerPrefix(i), kUnd, weights.layers[static_cast<size_t>(i)].und);
  visitor.Vector(weights.final_norm_und, "language_model.model.norm.weight", llm.hidden);
  visitor.Matrix(weights.lm_head, "language_model.lm_head", llm.vocabulary, llm.hidden, false);
  VisitVit(visitor, config, weights);
}

// Beside an I8 matrix: its scales, see quant/codec.h.
constexpr const char* kInt8ScaleSuffix = ".int8_b64_scale";

std::string ShapeList(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (const int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

// Finds tensors, checks them, and makes weights of them.
class Loader {
 public:
  Loader(const SafetensorsFolder& checkpoint, Ops& ops, std::vector<void*>& vectors)
      : checkpoint_(checkpoint), ops_(ops), vectors_(vectors) {}

  void Matrix(Weight& weight, const std::string& name, int64_t out, int64_t in, bool has_bias) {
    Table(weight, name + ".weight", out, in);
    if (has_bias) Vector(weight.bias, name + ".bias", out);
  }

  void Table(Weight& weight, const std::string& name, int64_t out, int64_t in) {
    const TensorEntry& entry = Get(name, {out, in});
    weight.out = out;
    weight.in = in;
    weight.data = entry.data.data();
    const TensorEntry* scale = checkpoint_.Find(name + kInt8ScaleSuffix);
    if (entry.dtype == DType::kI8 && scale != nullptr) {
      CheckEntry(name + kInt8ScaleSuffix, *scale, {out, ScaleBlocks(in)});
      if (scale->dtype != DType::kF16) Fail(name + kInt8ScaleSuffix, "F16", *scale);
      weight.format = WeightFormat::kInt8Block64;
      weight.scales = scale->data.data();
      return;
    }
    const std::optional<WeightFormat> format = FloatFormat(entry.dtype);
    if (!format) Fail(name, "F32, F16, BF16, or I8 with " + name + kInt8ScaleSuffix, entry);
    weight.format = *format;
  }

  void Vector(const float*& vector, const std::string& name, int64_t size) {
    const TensorEntry& entry = Get(name, {size});
    const std::optional<WeightFormat> format = FloatFormat(entry.dtype);
    if (!format) Fail(name, "F32, F16 or BF16", entry);
    const Weight row{*format, 1, size, entry.data.data(), nullptr, nullptr};
    std::vector<float> values(static_cast<size_t>(size));
    UnpackRow(row, 0, values.data());
    const size_t bytes = values.size() * sizeof(float);
    vectors_.push_back(ops_.Allocate(bytes));
    ops_.CopyToDevice(vectors_.back(), values.data(), bytes);
    vector = static_cast<const float*>(vectors_.back());
  }

 private:
  static std::optional<WeightFormat> FloatFormat(DType dtype) {
    if (dtype == DType::kF32) return WeightFormat::kF32;
    if (dtype == DType::kF16) return WeightFormat::kF16;
    if (dtype == DType::kBF16) return WeightFormat::kBF16;
    return std::nullopt;
  }

  const TensorEntry& Get(const std::string& name, const std::vector<int64_t>& shape) {
    const TensorEntry& entry = checkpoint_.Get(name);
    CheckEntry(name, entry, shape);
    return entry;
  }

  void CheckEntry(const std::string& name, const TensorEntry& entry,
                  const std::vector<int64_t>& shape) {
    if (entry.shape != shape) Fail(name, "shape " + ShapeList(shape), entry);
  }

  [[noreturn]] void Fail(const std::string& name, const std::string& expected,
                         const TensorEntry& found) {
    throw Error(ErrorKind::kCorrupt,
                checkpoint_.folder() + ": tensor " + name + ": expected " + expected + ", found " +
                    std::string(DTypeName(found.dtype)) + " " + ShapeList(found.shape));
  }

  const SafetensorsFolder& checkpoint_;
  Ops& ops_;
  std::vector<void*>& vectors_;
};

// Collects names and shapes.
class SpecCollector {
 public:
  SpecCollector(std::vector<TensorSpec>& specs, bool drawing) : specs_(specs), drawing_(drawing) {}
  void Matrix(Weight&, const std::string& name, int64_t out, int64_t in, bool has_bias) {
    specs_.push_back({name + ".weight", {out, in}, false, drawing_});
    if (has_bias) specs_.push_back({name + ".bias", {out}, false, drawing_});
  }
  void Table(Weight&, const std::string& name, int64_t out, int64_t in) {
    specs_.push_back({name, {out, in}, false, drawing_});
  }
  void Vector(const float*&, const std::string& name, int64_t size) {
    specs_.push_back({name, {size}, name.ends_with(".weight"), drawing_});
  }

 private:
  std::vector<TensorSpec>& specs_;
  bool drawing_;
};

// The drawing half, which shares attention with the understanding half.
void CollectDrawing(SpecCollector& collector, const BagelConfig& config) {
  constexpr int64_t kTimeFrequencies = 256;
  const LlmConfig& llm = config.llm;
  const LatentConfig& latent = config.latent;
  const int64_t token = latent.patch * latent.patch * latent.channels;
  Weight weight;
  const float* vector = nullptr;
  ExpertLayer expert;
  for (int64_t i = 0; i < llm.layers; ++i)
    VisitExpert(collector, llm, LayerPrefix(i), kGen, expert);
  collector.Vector(vector, "language_model.model.norm_moe_gen.weight", llm.hidden);
  collector.Matrix(weight, "time_embedder.mlp.0", llm.hidden, kTimeFrequencies, true);
  collector.Matrix(weight, "time_embedder.mlp.2", llm.hidden, llm.hidden, true);
  collector.Matrix(weight, "vae2llm", llm.hidden, token, true);
  collector.Matrix(weight, "llm2vae", token, llm.hidden, true);
  collector.Table(weight, "latent_pos_embed.pos_embed", latent.max_size * latent.max_size,
                  llm.hidden);
}

}  // namespace

LoadedWeights::LoadedWeights(const std::filesystem::path& folder, const BagelConfig& config,
                             Ops& ops)
    : ops_(ops), checkpoint_(folder.string(), {"ema", "model"}) {
  try {
    Loader loader(checkpoint_, ops, vectors_);
    VisitUnderstanding(loader, config, weights_);
  } catch (...) {
    for (void* vector : vectors_) ops_.Free(vector);
    throw;
  }
}

LoadedWeights::~LoadedWeights() {
  for (void* vector : vectors_) ops_.Free(vector);
}

int64_t LoadedWeights::parameters() const {
  int64_t count = 0;
  for (const auto& [name, entry] : checkpoint_.tensors())
    count += name.ends_with(kInt8ScaleSuffix) ? 0 : entry.elements();
  return count;
}

std::vector<TensorSpec> ExpectedTensors(const BagelConfig& config) {
  std::vector<TensorSpec> specs;
  BagelWeights weights;
  SpecCollector understanding(specs, false), drawing(specs, true);
  VisitUnderstanding(understanding, config, weights);
  CollectDrawing(drawing, config);
  return specs;
}

}  // namespace bagel
