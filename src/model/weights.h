// The model's weights by meaning. weights.cc is the only file that knows checkpoint names.
#ifndef BAGEL_MODEL_WEIGHTS_H_
#define BAGEL_MODEL_WEIGHTS_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "model/config.h"
#include "tensor/ops.h"
#include "tensor/weight.h"

namespace bagel {

struct LayerNormWeights {
  const float* weight = nullptr;
  const float* bias = nullptr;
};

// One transformer layer of the vision encoder (SigLIP).
struct VitLayer {
  LayerNormWeights norm1, norm2;
  Weight q, k, v, out;
  Weight fc1, fc2;
};

// One expert's share of a decoder layer (Qwen2 with per-head norms of q and k).
struct ExpertLayer {
  const float* input_norm = nullptr;
  const float* post_attention_norm = nullptr;
  const float* q_norm = nullptr;
  const float* k_norm = nullptr;
  Weight q, k, v, o;
  Weight gate, up, down;
};

struct DecoderLayer {
  ExpertLayer und;
};

struct BagelWeights {
  Weight embed_tokens;  // [vocabulary, hidden]
  Weight lm_head;       // [vocabulary, hidden]
  const float* final_norm_und = nullptr;
  std::vector<DecoderLayer> layers;

  Weight vit_patch_embedding;     // [vit hidden, 3 * patch * patch]
  Weight vit_position_embedding;  // [side * side, vit hidden]
  std::vector<VitLayer> vit_layers;
  LayerNormWeights vit_post_norm;
  Weight connector_fc1, connector_fc2;
  Weight vit_pos_embed;  // [side * side, hidden]
};

// Owns the mapped files and the vectors that were converted to f32.
class LoadedWeights {
 public:
  // Reads `<folder>/ema.safetensors` (or sharded, see formats/safetensors.h) for the device of
  // `ops`. Matrices stay as they are stored, in the mapped file but for NF4; norms and biases
  // become f32. Throws Error naming file,
  // tensor, expected and found.
  LoadedWeights(const std::filesystem::path& folder, const BagelConfig& config, Ops& ops);
  ~LoadedWeights();
  LoadedWeights(const LoadedWeights&) = delete;
  LoadedWeights& operator=(const LoadedWeights&) = delete;

  const BagelWeights& weights() const { return weights_; }
  const SafetensorsFolder& checkpoint() const { return checkpoint_; }
  // Numbers in the checkpoint, those that only describe a quantisation not counted.
  int64_t parameters() const;

 private:
  Ops& ops_;
  SafetensorsFolder checkpoint_;
  BagelWeights weights_;
  std::vector<void*> copies_;
};

// What a tensor is for, as far as its format may depend on it.
enum class TensorRole : uint8_t {
  kVector,     // norms and biases
  kDecoder,    // the linear layers of both experts
  kHead,       // lm_head
  kEmbedding,  // rows of token ids, which a device need not hold
  kVit,
  kConnector,
  kPositions,  // the three tables of position embeddings
  kFlow,       // between latents, time and the decoder
};
// "vectors", "decoder", "head", "embedding", "vit", "connector", "positions", "flow".
const char* TensorRoleName(TensorRole role);

// One tensor of a checkpoint.
struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;
  bool is_norm = false;     // near 1, not near 0
  bool is_drawing = false;  // of the half that draws
  TensorRole role = TensorRole::kVector;
};

// Every tensor of ema.safetensors for this configuration, both halves.
std::vector<TensorSpec> ExpectedTensors(const BagelConfig& config);

}  // namespace bagel

#endif  // BAGEL_MODEL_WEIGHTS_H_
