#include "model/weights.h"

#include <utility>

#include "model/stored_weight.h"
#include "model/weight_loader.h"
#include "model/weight_room.h"

namespace bagel {
namespace {

// Suffixes of a checkpoint's names: the understanding expert's tensors have none.
constexpr const char* kUnd = "";
constexpr const char* kGen = "_moe_gen";
constexpr int64_t kTimeFrequencies = 256;
constexpr const char* kLayers = "language_model.model.layers.";
constexpr const char* kLatentIn = "vae2llm";  // a checkpoint that can draw has it

// Calls visitor.Matrix(Weight&, name, out, in, has_bias), visitor.Table(Weight&, name, out, in),
// visitor.TokenTable(the same) and visitor.Vector(const float*&, name, size) for every tensor,
// which is how names, shapes and fields are tied together in one place.
template <typename Visitor>
void VisitExpert(Visitor& visitor, const LlmConfig& llm, const std::string& layer,
                 const std::string& suffix, int64_t intermediate, ExpertLayer& expert) {
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
  visitor.Matrix(expert.gate, mlp + "gate_proj", intermediate, llm.hidden, false);
  visitor.Matrix(expert.up, mlp + "up_proj", intermediate, llm.hidden, false);
  visitor.Matrix(expert.down, mlp + "down_proj", llm.hidden, intermediate, false);
}

std::string LayerPrefix(int64_t layer) { return kLayers + std::to_string(layer) + "."; }

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
  visitor.TokenTable(weights.embed_tokens, "language_model.model.embed_tokens.weight",
                     llm.vocabulary, llm.hidden);
  weights.layers.resize(static_cast<size_t>(llm.layers));
  for (int64_t i = 0; i < llm.layers; ++i)
    VisitExpert(visitor, llm, LayerPrefix(i), kUnd, llm.intermediate,
                weights.layers[static_cast<size_t>(i)].und);
  visitor.Vector(weights.final_norm_und, "language_model.model.norm.weight", llm.hidden);
  visitor.Matrix(weights.lm_head, "language_model.lm_head", llm.vocabulary, llm.hidden, false);
  VisitVit(visitor, config, weights);
}

// The drawing half's share of ema.safetensors.
template <typename Visitor>
void VisitDrawing(Visitor& visitor, const BagelConfig& config, BagelWeights& weights) {
  const LlmConfig& llm = config.llm;
  const LatentConfig& latent = config.latent;
  weights.layers.resize(static_cast<size_t>(llm.layers));
  for (int64_t i = 0; i < llm.layers; ++i)
    VisitExpert(visitor, llm, LayerPrefix(i), kGen, llm.gen_intermediate,
                weights.layers[static_cast<size_t>(i)].gen);
  visitor.Vector(weights.final_norm_gen, "language_model.model.norm_moe_gen.weight", llm.hidden);
  visitor.Matrix(weights.time_mlp0, "time_embedder.mlp.0", llm.hidden, kTimeFrequencies, true);
  visitor.Matrix(weights.time_mlp2, "time_embedder.mlp.2", llm.hidden, llm.hidden, true);
  visitor.Matrix(weights.vae2llm, kLatentIn, llm.hidden, latent.TokenSize(), true);
  visitor.Matrix(weights.llm2vae, "llm2vae", latent.TokenSize(), llm.hidden, true);
  visitor.Table(weights.latent_pos_embed, "latent_pos_embed.pos_embed",
                latent.max_size * latent.max_size, llm.hidden);
}

template <typename Visitor>
void VisitVaeBlock(Visitor& visitor, const std::string& name, int64_t in, int64_t out,
                   VaeBlock& block) {
  VisitLayerNorm(visitor, name + ".norm1", in, block.norm1);
  visitor.Convolution(block.conv1, name + ".conv1", out, in, 3);
  VisitLayerNorm(visitor, name + ".norm2", out, block.norm2);
  visitor.Convolution(block.conv2, name + ".conv2", out, out, 3);
  if (in != out) visitor.Convolution(block.shortcut, name + ".nin_shortcut", out, in, 1);
}

template <typename Visitor>
void VisitVaeMid(Visitor& visitor, const std::string& prefix, int64_t channels, VaeCoder& coder) {
  const std::string attention = prefix + "mid.attn_1.";
  VisitVaeBlock(visitor, prefix + "mid.block_1", channels, channels, coder.mid1);
  VisitLayerNorm(visitor, attention + "norm", channels, coder.mid_norm);
  visitor.Convolution(coder.mid_q, attention + "q", channels, channels, 1);
  visitor.Convolution(coder.mid_k, attention + "k", channels, channels, 1);
  visitor.Convolution(coder.mid_v, attention + "v", channels, channels, 1);
  visitor.Convolution(coder.mid_out, attention + "proj_out", channels, channels, 1);
  VisitVaeBlock(visitor, prefix + "mid.block_2", channels, channels, coder.mid2);
}

// One level, which starts with `channels` channels and leaves its own there.
template <typename Visitor>
void VisitVaeLevel(Visitor& visitor, const std::string& name, const std::string& resample,
                   int64_t blocks, int64_t out, bool resampled, int64_t& channels,
                   VaeCoder::Level& level) {
  level.blocks.resize(static_cast<size_t>(blocks));
  for (int64_t i = 0; i < blocks; ++i, channels = out)
    VisitVaeBlock(visitor, name + ".block." + std::to_string(i), channels, out,
                  level.blocks[static_cast<size_t>(i)]);
  if (resampled) visitor.Convolution(level.resample, name + resample, out, out, 3);
}

// ae.safetensors; the decoder's levels are numbered from the finest one, which runs last.
template <typename Visitor>
void VisitVae(Visitor& visitor, const BagelConfig& config, BagelWeights& weights) {
  const VaeConfig& vae = config.vae;
  const auto levels = vae.multipliers.size();
  int64_t channels = vae.channels;
  VaeCoder& encoder = weights.encoder;
  encoder.levels.resize(levels);
  visitor.Convolution(encoder.conv_in, "encoder.conv_in", channels, 3, 3);
  for (size_t i = 0; i < levels; ++i)
    VisitVaeLevel(visitor, "encoder.down." + std::to_string(i), ".downsample.conv", vae.blocks,
                  vae.channels * vae.multipliers[i], i + 1 < levels, channels, encoder.levels[i]);
  VisitVaeMid(visitor, "encoder.", channels, encoder);
  VisitLayerNorm(visitor, "encoder.norm_out", channels, encoder.norm_out);
  visitor.Convolution(encoder.conv_out, "encoder.conv_out", 2 * config.latent.channels, channels,
                      3);

  VaeCoder& decoder = weights.decoder;
  decoder.levels.resize(levels);
  visitor.Convolution(decoder.conv_in, "decoder.conv_in", channels, config.latent.channels, 3);
  VisitVaeMid(visitor, "decoder.", channels, decoder);
  for (size_t i = 0; i < levels; ++i) {
    const size_t number = levels - 1 - i;
    VisitVaeLevel(visitor, "decoder.up." + std::to_string(number), ".upsample.conv", vae.blocks + 1,
                  vae.channels * vae.multipliers[number], number > 0, channels, decoder.levels[i]);
  }
  VisitLayerNorm(visitor, "decoder.norm_out", channels, decoder.norm_out);
  visitor.Convolution(decoder.conv_out, "decoder.conv_out", 3, channels, 3);
}

TensorRole RoleOf(const std::string& name, const std::vector<int64_t>& shape) {
  constexpr std::pair<const char*, TensorRole> kPrefixes[] = {
      {kLayers, TensorRole::kDecoder},
      {"language_model.lm_head.", TensorRole::kHead},
      {"language_model.model.embed_tokens.", TensorRole::kEmbedding},
      {"vit_model.vision_model.embeddings.position_embedding.", TensorRole::kPositions},
      {"vit_model.", TensorRole::kVit},
      {"connector.", TensorRole::kConnector},
      {"vit_pos_embed.", TensorRole::kPositions},
      {"latent_pos_embed.", TensorRole::kPositions}};
  if (shape.size() < 2) return TensorRole::kVector;
  for (const auto& [prefix, role] : kPrefixes)
    if (name.starts_with(prefix)) return role;
  return TensorRole::kFlow;
}

// Collects names and shapes.
class SpecCollector {
 public:
  SpecCollector(std::vector<TensorSpec>& specs, bool drawing) : specs_(specs), drawing_(drawing) {}
  void Matrix(Weight&, const std::string& name, int64_t out, int64_t in, bool has_bias) {
    Add(name + ".weight", {out, in}, false);
    if (has_bias) Add(name + ".bias", {out}, false);
  }
  void Table(Weight&, const std::string& name, int64_t out, int64_t in) {
    Add(name, {out, in}, false);
  }
  void TokenTable(Weight& weight, const std::string& name, int64_t out, int64_t in) {
    Table(weight, name, out, in);
  }
  void Vector(const float*&, const std::string& name, int64_t size) {
    Add(name, {size}, name.ends_with(".weight"));
  }
  void Convolution(Weight&, const std::string& name, int64_t out, int64_t in, int64_t kernel) {
    Add(name + ".weight", {out, in, kernel, kernel}, false);
    Add(name + ".bias", {out}, false);
  }

 private:
  void Add(const std::string& name, const std::vector<int64_t>& shape, bool is_norm) {
    specs_.push_back({name, shape, is_norm, drawing_, RoleOf(name, shape)});
  }

  std::vector<TensorSpec>& specs_;
  bool drawing_;
};

// Gives weights their shapes.
class ShapeFiller {
 public:
  void Matrix(Weight& weight, const std::string&, int64_t out, int64_t in, bool) {
    weight.out = out;
    weight.in = in;
  }
  void Table(Weight& weight, const std::string&, int64_t out, int64_t in) {
    weight.out = out;
    weight.in = in;
  }
  void TokenTable(Weight& weight, const std::string& name, int64_t out, int64_t in) {
    Table(weight, name, out, in);
  }
  void Vector(const float*&, const std::string&, int64_t) {}
  void Convolution(Weight& weight, const std::string&, int64_t out, int64_t in, int64_t kernel) {
    weight.out = out;
    weight.in = in * kernel * kernel;
  }
};

// Opens the autoencoder's file. Returns what the drawing half lacks, in words.
std::string FindDrawing(const SafetensorsFolder& checkpoint,
                        std::optional<SafetensorsFolder>& autoencoder) {
  const std::string name = std::string(kLatentIn) + ".weight";
  if (checkpoint.Find(name) == nullptr)
    return checkpoint.folder() + " has no drawing half: there is no tensor " + name;
  try {
    autoencoder.emplace(checkpoint.folder(), std::vector<std::string>{"ae"});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
    return checkpoint.folder() + " has no autoencoder: there is no ae.safetensors";
  }
  return "";
}

}  // namespace

LoadedWeights::LoadedWeights(const std::filesystem::path& folder, const BagelConfig& config,
                             Ops& ops, DrawingHalf drawing, size_t work_bytes)
    : ops_(ops), checkpoint_(folder.string(), {"ema", "model"}), memory_(ops) {
  try {
    drawing_missing_ = drawing != DrawingHalf::kOff
                           ? FindDrawing(checkpoint_, autoencoder_)
                           : checkpoint_.folder() + " was loaded without its drawing half";
    if (!drawing_missing_.empty()) drawing = DrawingHalf::kOff;
    if (ops.FreeBytes() != SIZE_MAX) {
      const SafetensorsFolder* const autoencoder = autoencoder_ ? &*autoencoder_ : nullptr;
      const LoadedBytes bytes = CountBytes(config, checkpoint_, autoencoder, drawing);
      CheckRoom(ops, checkpoint_.folder(), bytes, static_cast<size_t>(config.llm.layers),
                work_bytes);
      memory_.Reserve(bytes.device);
    }
    WeightLoader loader(checkpoint_, ops, memory_);
    VisitUnderstanding(loader, config, weights_);
    if (drawing != DrawingHalf::kOff) {
      if (drawing == DrawingHalf::kOnDemand) loader.Hold(kLayers, held_);
      VisitDrawing(loader, config, weights_);
      weights_.gen_on_host = !held_.empty();
      WeightLoader vae_loader(*autoencoder_, ops, memory_);
      VisitVae(vae_loader, config, weights_);
    }
  } catch (...) {
    FreeHeld();
    throw;
  }
}

LoadedWeights::~LoadedWeights() { FreeHeld(); }

void LoadedWeights::FreeHeld() {
  for (void* memory : held_) ops_.FreeHost(memory);
}

int64_t LoadedWeights::parameters() const {
  int64_t count = 0;
  for (const auto& [name, entry] : checkpoint_.tensors()) {
    if (DescribesQuantization(name)) continue;
    const bool nibbles = checkpoint_.Find(name + std::string(kNf4StateSuffix)) != nullptr;
    count += nibbles ? 2 * entry.elements() : entry.elements();
  }
  return count;
}

std::vector<TensorSpec> ExpectedTensors(const BagelConfig& config) {
  std::vector<TensorSpec> specs;
  BagelWeights weights;
  SpecCollector understanding(specs, false), drawing(specs, true);
  VisitUnderstanding(understanding, config, weights);
  VisitDrawing(drawing, config, weights);
  return specs;
}

std::vector<TensorSpec> ExpectedAutoencoder(const BagelConfig& config) {
  std::vector<TensorSpec> specs;
  BagelWeights weights;
  SpecCollector collector(specs, true);
  VisitVae(collector, config, weights);
  return specs;
}

BagelWeights WeightShapes(const BagelConfig& config) {
  BagelWeights weights;
  ShapeFiller filler;
  VisitUnderstanding(filler, config, weights);
  VisitDrawing(filler, config, weights);
  VisitVae(filler, config, weights);
  return weights;
}

const char* TensorRoleName(TensorRole role) {
  switch (role) {
    case TensorRole::kVector:
      return "vectors";
    case TensorRole::kDecoder:
      return "decoder";
    case TensorRole::kHead:
      return "head";
    case TensorRole::kEmbedding:
      return "embedding";
    case TensorRole::kVit:
      return "vit";
    case TensorRole::kConnector:
      return "connector";
    case TensorRole::kPositions:
      return "positions";
    case TensorRole::kFlow:
      return "flow";
  }
  return "?";
}

}  // namespace bagel
