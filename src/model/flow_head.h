// Latents into the decoder and velocities out of it.
#ifndef BAGEL_MODEL_FLOW_HEAD_H_
#define BAGEL_MODEL_FLOW_HEAD_H_

#include <vector>

#include "model/config.h"
#include "model/step_input.h"
#include "model/weights.h"
#include "tensor/ops.h"
#include "tensor/workspace.h"

namespace bagel {

// The sinusoidal features of a time: cosines of time * 10000^(-i/half), i < half, then the sines.
std::vector<float> TimeFrequencies(float time, int64_t size);

// y = vae2llm(latents) + time_embedder(time) + latent_pos_embed[positions]. y: [rows, hidden] f32.
// Reference: Bagel._forward_flow.
void EmbedLatents(Ops& ops, Workspace& workspace, const BagelWeights& weights,
                  const LatentTokens& latents, const Tensor& y);

// The velocities [rows, token size] of the decoder's last rows `hidden` [rows, hidden] f32.
Tensor VelocityHead(Ops& ops, Workspace& workspace, const BagelConfig& config,
                    const BagelWeights& weights, const Tensor& hidden);

}  // namespace bagel

#endif  // BAGEL_MODEL_FLOW_HEAD_H_
