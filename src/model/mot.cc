#include "model/mot.h"

#include <algorithm>
#include <vector>

namespace bagel {
namespace {

// Rows whose gate and up activations, by far the widest tensors of a step, exist at once. In f16,
// on a GPU, those of two passes over a picture of 1024x1024: products of more rows keep more of its
// multiprocessors busy, and a weight is unpacked once for all. In f32 as many bytes as 5120 in f16.
constexpr int64_t kMlpRows = 8192, kMlpRowsF32 = 2560;

// hidden += down(silu(gate(x)) * up(x)), x = norm(hidden).
void MlpForward(Ops& ops, Workspace& workspace, const LlmConfig& config, const ExpertLayer& expert,
                const Tensor& hidden) {
  const DType type = ops.ActivationType();
  const int64_t most = type == DType::kF16 ? kMlpRows : kMlpRowsF32;
  const Workspace::Scope scope(workspace);
  const int64_t room = std::min(most, hidden.rows);
  const Tensor x = workspace.Take(type, room, config.hidden);
  const Tensor gate = workspace.Take(type, room, expert.gate.out);
  const Tensor up = workspace.Take(type, room, expert.up.out);
  for (int64_t first = 0; first < hidden.rows; first += most) {
    const int64_t rows = std::min(most, hidden.rows - first);
    ops.GatedMlpAdd(
        hidden.Rows(first, rows),
        {expert.post_attention_norm, config.rms_eps, &expert.gate, &expert.up, &expert.down},
        x.Rows(0, rows), gate.Rows(0, rows), up.Rows(0, rows));
  }
}

const ExpertLayer& ExpertOf(const DecoderLayer& layer, const RouteRange& range) {
  return range.expert == Expert::kGen ? layer.gen : layer.und;
}

}  // namespace

void DecoderLayerForward(Ops& ops, Workspace& workspace, const LlmConfig& config,
                         const DecoderLayer& layer, const Route& route, const KvLayer& cache,
                         const Tensor& hidden) {
  {
    const Workspace::Scope scope(workspace);
    const DType type = ops.ActivationType();
    const int64_t rows = hidden.rows;
    const Tensor x = workspace.Take(type, rows, config.hidden);
    const Tensor q = workspace.Take(type, rows, config.heads * config.head_dim);
    const Tensor k = workspace.Take(type, rows, config.kv_heads * config.head_dim);
    const Tensor v = workspace.Take(type, rows, config.kv_heads * config.head_dim);
    std::vector<HeadNorms> norms;
    for (const RouteRange& range : route) {
      const auto part = [&](const Tensor& t) { return t.Rows(range.first_row, range.rows); };
      const ExpertLayer& expert = ExpertOf(layer, range);
      const Product products[] = {{part(q), &expert.q}, {part(k), &expert.k}, {part(v), &expert.v}};
      ops.NormLinear(products, part(hidden), expert.input_norm, config.rms_eps, part(x));
      norms.push_back({range.first_row, range.rows, expert.q_norm, expert.k_norm});
    }
    // As wide as x, which has done its part.
    const Tensor attention = x;
    ops.NormRopeAttention(attention, cache, q, k, v, norms, config.rms_eps, config.rope_theta);
    for (const RouteRange& range : route)
      ops.LinearAdd(hidden.Rows(range.first_row, range.rows),
                    attention.Rows(range.first_row, range.rows), ExpertOf(layer, range).o);
  }
  for (const RouteRange& range : route)
    MlpForward(ops, workspace, config, ExpertOf(layer, range),
               hidden.Rows(range.first_row, range.rows));
}

}  // namespace bagel
