// The decoder: a Qwen2 stack whose layers hold one set of weights per expert (mixture of
// transformers); attention is shared.
#ifndef BAGEL_MODEL_MOT_H_
#define BAGEL_MODEL_MOT_H_

#include <cstdint>

#include "model/config.h"
#include "model/kv_cache.h"
#include "model/weights.h"
#include "tensor/ops.h"
#include "tensor/workspace.h"

namespace bagel {

// One layer on the residual stream `hidden` [step rows, hidden] f32, in place; the step was begun
// with Ops::BeginStep. Reference: modeling/bagel/qwen2_navit.py, Qwen2MoTDecoderLayer.
void DecoderLayerForward(Ops& ops, Workspace& workspace, const LlmConfig& config,
                         const DecoderLayer& layer, const KvLayer& cache, const Tensor& hidden);

}  // namespace bagel

#endif  // BAGEL_MODEL_MOT_H_
