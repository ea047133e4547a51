#include "model/siglip.h"

namespace bagel {
namespace {

// One pre-norm layer on the residual stream x [n, hidden].
void VitLayerForward(Ops& ops, Workspace& workspace, const VitConfig& config, const VitLayer& layer,
                     const Tensor& x) {
  const Workspace::Scope scope(workspace);
  const DType type = ops.ActivationType();
  const Tensor normed = workspace.Take(type, x.rows, config.hidden);

  ops.LayerNorm(normed, x, layer.norm1.weight, layer.norm1.bias, config.norm_eps);
  {
    const Workspace::Scope attention_scope(workspace);
    const Tensor q = workspace.Take(type, x.rows, config.hidden);
    const Tensor k = workspace.Take(type, x.rows, config.hidden);
    const Tensor v = workspace.Take(type, x.rows, config.hidden);
    ops.Linear(q, normed, layer.q);
    ops.Linear(k, normed, layer.k);
    ops.Linear(v, normed, layer.v);
    ops.FullAttention(normed, q, k, v, config.heads);
    ops.LinearAdd(x, normed, layer.out);
  }

  ops.LayerNorm(normed, x, layer.norm2.weight, layer.norm2.bias, config.norm_eps);
  const Tensor inner = workspace.Take(type, x.rows, config.intermediate);
  ops.Linear(inner, normed, layer.fc1);
  ops.GeluTanh(inner);
  ops.LinearAdd(x, inner, layer.fc2);
}

}  // namespace

void EncodeImage(Ops& ops, Workspace& workspace, const BagelConfig& config,
                 const BagelWeights& weights, const Tensor& patches,
                 std::span<const int32_t> position_ids, const Tensor& y) {
  const Workspace::Scope scope(workspace);
  const Tensor x = workspace.Take(DType::kF32, patches.rows, config.vit.hidden);
  ops.Linear(x, patches, weights.vit_patch_embedding);
  ops.AddRows(x, weights.vit_position_embedding, position_ids);
  ops.Trace("vit_patch_embed", x);
  for (const VitLayer& layer : weights.vit_layers)
    VitLayerForward(ops, workspace, config.vit, layer, x);
  const Tensor out = workspace.Take(ops.ActivationType(), x.rows, config.vit.hidden);
  ops.LayerNorm(out, x, weights.vit_post_norm.weight, weights.vit_post_norm.bias,
                config.vit.norm_eps);
  ops.Trace("vit_out", out);

  const Tensor inner = workspace.Take(ops.ActivationType(), x.rows, config.llm.hidden);
  ops.Linear(inner, out, weights.connector_fc1);
  ops.GeluTanh(inner);
  ops.Linear(y, inner, weights.connector_fc2);
  ops.Trace("connector_out", y);
  ops.AddRows(y, weights.vit_pos_embed, position_ids);
}

}  // namespace bagel
