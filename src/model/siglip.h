// The vision encoder: SigLIP so400m in the NaViT form that BAGEL uses.
#ifndef BAGEL_MODEL_SIGLIP_H_
#define BAGEL_MODEL_SIGLIP_H_

#include <cstdint>
#include <span>

#include "model/config.h"
#include "model/weights.h"
#include "tensor/ops.h"
#include "tensor/workspace.h"

namespace bagel {

// Patches [n, 3 * patch * patch] -> decoder inputs y [n, hidden]: the encoder, the connector and
// the position embedding of the decoder. position_ids [n] index both tables.
// Reference: modeling/bagel/siglip_navit.py and Bagel.forward_cache_update_vit.
void EncodeImage(Ops& ops, Workspace& workspace, const BagelConfig& config,
                 const BagelWeights& weights, const Tensor& patches,
                 std::span<const int32_t> position_ids, const Tensor& y);

}  // namespace bagel

#endif  // BAGEL_MODEL_SIGLIP_H_
