#include "model/flow_head.h"

#include <cmath>

namespace bagel {

std::vector<float> TimeFrequencies(float time, int64_t size) {
  constexpr double kMaxPeriod = 10000;
  const auto half = static_cast<size_t>(size / 2);
  std::vector<float> features(2 * half);
  for (size_t i = 0; i < half; ++i) {
    const double exponent = -std::log(kMaxPeriod) * static_cast<double>(i);
    const auto frequency = static_cast<float>(std::exp(exponent / static_cast<double>(half)));
    features[i] = std::cos(time * frequency);
    features[half + i] = std::sin(time * frequency);
  }
  return features;
}

void EmbedLatents(Ops& ops, Workspace& workspace, const BagelWeights& weights,
                  const LatentTokens& latents, const Tensor& y) {
  const Workspace::Scope scope(workspace);
  const int64_t hidden = weights.vae2llm.out;
  const Tensor features = workspace.Take(DType::kF32, 1, weights.time_mlp0.in);
  const std::vector<float> host = TimeFrequencies(latents.time, features.cols);
  ops.CopyToDevice(features.data, host.data(), host.size() * sizeof(float));
  const Tensor inner = workspace.Take(ops.ActivationType(), 1, hidden);
  ops.Linear(inner, features, weights.time_mlp0);
  ops.Silu(inner);
  // The time is the same for all rows, so its embedding joins the bias.
  const Tensor bias = workspace.Take(DType::kF32, 1, hidden);
  ops.CopyOnDevice(bias.data, weights.vae2llm.bias, static_cast<size_t>(hidden) * sizeof(float));
  ops.LinearAdd(bias, inner, weights.time_mlp2);
  Weight vae2llm = weights.vae2llm;
  vae2llm.bias = static_cast<const float*>(bias.data);

  const Tensor x = workspace.Take(DType::kF32, latents.rows(), vae2llm.in);
  ops.CopyToDevice(x.data, latents.values.data(), latents.values.size_bytes());
  ops.Linear(y, x, vae2llm);
  ops.AddRows(y, weights.latent_pos_embed, latents.positions);
}

Tensor VelocityHead(Ops& ops, Workspace& workspace, const BagelConfig& config,
                    const BagelWeights& weights, const Tensor& hidden) {
  const Tensor velocity = workspace.Take(DType::kF32, hidden.rows, weights.llm2vae.out);
  const Workspace::Scope scope(workspace);
  const Tensor normed = workspace.Take(ops.ActivationType(), hidden.rows, hidden.cols);
  ops.RmsNorm(normed, hidden, weights.final_norm_gen, config.llm.rms_eps);
  ops.Linear(velocity, normed, weights.llm2vae);
  return velocity;
}

}  // namespace bagel
