// The model's weights by meaning. weights.cc is the only file that knows checkpoint names.
#ifndef BAGEL_MODEL_WEIGHTS_H_
#define BAGEL_MODEL_WEIGHTS_H_

#include <filesystem>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "model/config.h"
#include "model/drawing_half.h"
#include "tensor/ops.h"
#include "tensor/weight.h"
#include "tensor/weight_memory.h"

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
  ExpertLayer gen;  // empty without the drawing half
};

// GroupNorm, SiLU, 3x3 convolution, twice, around a shortcut. shortcut.out is 0 where the channels
// stay the same.
struct VaeBlock {
  LayerNormWeights norm1, norm2;  // of groups of channels
  Weight conv1, conv2;
  Weight shortcut;  // 1x1
};

// Encoder or decoder of the autoencoder, its levels in the order in which they run.
struct VaeCoder {
  struct Level {
    std::vector<VaeBlock> blocks;
    Weight resample;  // 3x3, to the next level; out is 0 in the last one
  };
  Weight conv_in;
  std::vector<Level> levels;
  VaeBlock mid1, mid2;
  LayerNormWeights mid_norm;
  Weight mid_q, mid_k, mid_v, mid_out;  // 1x1
  LayerNormWeights norm_out;
  Weight conv_out;
};

struct BagelWeights {
  Weight embed_tokens;  // [vocabulary, hidden]
  Weight lm_head;       // [vocabulary, hidden]
  const float* final_norm_und = nullptr;
  std::vector<DecoderLayer> layers;
  bool gen_on_host = false;  // the matrices of every layer's gen lie in Ops::AllocateHost's memory

  Weight vit_patch_embedding;     // [vit hidden, 3 * patch * patch]
  Weight vit_position_embedding;  // [side * side, vit hidden]
  std::vector<VitLayer> vit_layers;
  LayerNormWeights vit_post_norm;
  Weight connector_fc1, connector_fc2;
  Weight vit_pos_embed;  // [side * side, hidden]

  // The drawing half, empty where the checkpoint has none.
  const float* final_norm_gen = nullptr;
  Weight time_mlp0, time_mlp2;
  Weight vae2llm;           // [hidden, token size]
  Weight llm2vae;           // [token size, hidden]
  Weight latent_pos_embed;  // [max_size * max_size, hidden]
  VaeCoder encoder, decoder;
};

// Owns the mapped files and the vectors that were converted to f32.
class LoadedWeights {
 public:
  // Reads `<folder>/ema.safetensors` (or sharded, see formats/safetensors.h) for the device of
  // `ops`, and ae.safetensors where the checkpoint can draw. Matrices stay as they are stored, in
  // the mapped file but for NF4; norms, biases and convolutions become f32. `work_bytes` are what
  // the caller needs of the device's memory beside them and beside what drawing on demand takes.
  // Throws Error naming file, tensor, expected and found, and kOutOfMemory with the sizes before
  // anything is copied to a device, or kept for it by a host, that is too small.
  LoadedWeights(const std::filesystem::path& folder, const BagelConfig& config, Ops& ops,
                DrawingHalf drawing = DrawingHalf::kAlways, size_t work_bytes = 0);
  ~LoadedWeights();
  LoadedWeights(const LoadedWeights&) = delete;
  LoadedWeights& operator=(const LoadedWeights&) = delete;

  const BagelWeights& weights() const { return weights_; }
  const SafetensorsFolder& checkpoint() const { return checkpoint_; }
  // What the drawing half lacks, in words; empty when it is there.
  const std::string& drawing_missing() const { return drawing_missing_; }
  // Numbers in the checkpoint, those that only describe a quantisation not counted.
  int64_t parameters() const;

 private:
  void FreeHeld();

  Ops& ops_;
  SafetensorsFolder checkpoint_;
  std::optional<SafetensorsFolder> autoencoder_;
  std::string drawing_missing_;
  BagelWeights weights_;
  WeightMemory memory_;
  std::vector<void*> held_;  // host memory
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

  int64_t elements() const {
    return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  }
};

// Every tensor of ema.safetensors for this configuration, both halves.
std::vector<TensorSpec> ExpectedTensors(const BagelConfig& config);
// Every tensor of ae.safetensors.
std::vector<TensorSpec> ExpectedAutoencoder(const BagelConfig& config);

// Both halves and the autoencoder without values: what a dry run on MeasuringOps needs.
BagelWeights WeightShapes(const BagelConfig& config);

}  // namespace bagel

#endif  // BAGEL_MODEL_WEIGHTS_H_
