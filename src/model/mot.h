// The decoder: a Qwen2 stack whose layers hold one set of weights per expert (mixture of
// transformers); attention is shared.
#ifndef BAGEL_MODEL_MOT_H_
#define BAGEL_MODEL_MOT_H_

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/kv_cache.h"
#include "model/weights.h"
#include "tensor/ops.h"
#include "tensor/workspace.h"

namespace bagel {

enum class Expert : uint8_t {
  kUnd,  // text, patches of pictures to look at, and all markers
  kGen,  // latents
};

// Which rows of a step go through which expert: ranges that cover the rows in order.
struct RouteRange {
  int64_t first_row = 0;
  int64_t rows = 0;
  Expert expert = Expert::kUnd;
};
using Route = std::vector<RouteRange>;

// One layer on the residual stream `hidden` [step rows, hidden] f32, in place; the step was begun
// with Ops::BeginStep. Reference: modeling/bagel/qwen2_navit.py, Qwen2MoTDecoderLayer.
void DecoderLayerForward(Ops& ops, Workspace& workspace, const LlmConfig& config,
                         const DecoderLayer& layer, const Route& route, const KvLayer& cache,
                         const Tensor& hidden);

}  // namespace bagel

#endif  // BAGEL_MODEL_MOT_H_
