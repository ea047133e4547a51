// Whether weights fit, before any of them is loaded.
#ifndef BAGEL_MODEL_WEIGHT_ROOM_H_
#define BAGEL_MODEL_WEIGHT_ROOM_H_

#include <cstddef>
#include <string>

#include "formats/safetensors.h"
#include "model/config.h"
#include "model/drawing_half.h"
#include "tensor/ops.h"

namespace bagel {

// What weights take of a GPU's memory, and of the host's for layers that are held there.
struct LoadedBytes {
  size_t device = 0;
  size_t host = 0;
};

// Of a checkpoint, and of its autoencoder where the half that draws is loaded.
LoadedBytes CountBytes(const BagelConfig& config, const SafetensorsFolder& checkpoint,
                       const SafetensorsFolder* autoencoder, DrawingHalf drawing);

// Throws kOutOfMemory with the sizes where the device has too little memory for the weights of
// `folder`, `layers` decoder layers, and beside them `work` bytes, or the host for what it keeps.
void CheckRoom(const Ops& ops, const std::string& folder, const LoadedBytes& bytes, size_t layers,
               size_t work);

}  // namespace bagel

#endif  // BAGEL_MODEL_WEIGHT_ROOM_H_
