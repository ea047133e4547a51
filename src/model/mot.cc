#include "model/mot.h"

#include <algorithm>

namespace bagel {
namespace {

// Rows whose gate and up activations exist at once; more rows go in equal chunks, since the two
// are by far the widest tensors of a step.
constexpr int64_t kMaxMlpRows = 2304;

// hidden += down(silu(gate(x)) * up(x)), x = norm(hidden).
void MlpForward(Ops& ops, Workspace& workspace, const LlmConfig& config, const ExpertLayer& expert,
                const Tensor& hidden) {
  const int64_t chunks = (hidden.rows + kMaxMlpRows - 1) / kMaxMlpRows;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t first = hidden.rows * chunk / chunks;
    const Tensor rows = hidden.Rows(first, hidden.rows * (chunk + 1) / chunks - first);
    const Workspace::Scope scope(workspace);
    const DType type = ops.ActivationType();
    const Tensor x = workspace.Take(type, rows.rows, config.hidden);
    const Tensor gate = workspace.Take(type, rows.rows, expert.gate.out);
    const Tensor up = workspace.Take(type, rows.rows, expert.up.out);
    ops.RmsNorm(x, rows, expert.post_attention_norm, config.rms_eps);
    ops.Linear(gate, x, expert.gate);
    ops.Linear(up, x, expert.up);
    ops.SwiGluLinearAdd(rows, gate, up, expert.down);
  }
}

const ExpertLayer& ExpertOf(const DecoderLayer& layer, const RouteRange& range) {
  return range.expert == Expert::kGen ? layer.gen : layer.und;
}

// q, k and v of one expert's rows, normalised and rotated; x is where the normed rows go.
void ProjectRange(Ops& ops, const LlmConfig& config, const ExpertLayer& expert, int64_t first_row,
                  const Tensor& hidden, const Tensor& x, const Tensor& q, const Tensor& k,
                  const Tensor& v) {
  ops.RmsNorm(x, hidden, expert.input_norm, config.rms_eps);
  ops.Linear(q, x, expert.q);
  ops.Linear(k, x, expert.k);
  ops.Linear(v, x, expert.v);
  ops.HeadNormRope(q, expert.q_norm, config.head_dim, config.rms_eps, config.rope_theta, first_row);
  ops.HeadNormRope(k, expert.k_norm, config.head_dim, config.rms_eps, config.rope_theta, first_row);
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
    for (const RouteRange& range : route) {
      const auto part = [&](const Tensor& t) { return t.Rows(range.first_row, range.rows); };
      ProjectRange(ops, config, ExpertOf(layer, range), range.first_row, part(hidden), part(x),
                   part(q), part(k), part(v));
    }
    ops.KvAppend(cache, k, v);
    // As wide as x, which has done its part.
    const Tensor attention = x;
    ops.Attention(attention, q, cache);
    for (const RouteRange& range : route)
      ops.LinearAdd(hidden.Rows(range.first_row, range.rows),
                    attention.Rows(range.first_row, range.rows), ExpertOf(layer, range).o);
  }
  for (const RouteRange& range : route)
    MlpForward(ops, workspace, config, ExpertOf(layer, range),
               hidden.Rows(range.first_row, range.rows));
}

}  // namespace bagel
