#include "model/weight_room.h"

#include <algorithm>
#include <cstdio>

#include "base/available_memory.h"
#include "model/layer_stream.h"
#include "model/stored_weight.h"
#include "model/weights.h"
#include "tensor/weight_memory.h"

namespace bagel {
namespace {

// Throws kOutOfMemory unless `available` bytes are enough for `weights`, and for `work` beside
// them.
void CheckFits(const std::string& who, size_t weights, size_t work, const std::string& where,
               size_t available) {
  if (weights <= available && work <= available - weights) return;
  const auto gigabytes = [](size_t bytes) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.1f GB", static_cast<double>(bytes) / 1e9);
    return std::string(text);
  };
  std::string needs = who + " needs about " + gigabytes(weights) + " for its weights";
  if (work > 0) needs += " and " + gigabytes(work) + " to work with";
  throw Error(ErrorKind::kOutOfMemory,
              needs + ", " + where + " has " + gigabytes(available) + " free");
}

}  // namespace

LoadedBytes CountBytes(const BagelConfig& config, const SafetensorsFolder& checkpoint,
                       const SafetensorsFolder* autoencoder, DrawingHalf drawing) {
  LoadedBytes bytes;
  const auto bytes_of = [](const SafetensorsFolder& files, const TensorSpec& spec) {
    if (spec.role == TensorRole::kEmbedding) return size_t{0};
    if (spec.role == TensorRole::kVector)
      return WeightMemory::Room(static_cast<size_t>(spec.shape[0]) * sizeof(float));
    const Weight stored = FindWeight(files, spec.name, spec.shape);
    // Kernels of convolutions are unpacked.
    const Weight unpacked{WeightFormat::kF32, stored.out, stored.in, stored.data};
    return PlacedBytes(spec.shape.size() == 4 ? unpacked : stored);
  };
  for (const TensorSpec& spec : ExpectedTensors(config)) {
    if (spec.is_drawing && drawing == DrawingHalf::kOff) continue;
    const bool is_held =
        spec.is_drawing && spec.role == TensorRole::kDecoder && drawing == DrawingHalf::kOnDemand;
    (is_held ? bytes.host : bytes.device) += bytes_of(checkpoint, spec);
  }
  if (drawing == DrawingHalf::kOff) return bytes;
  for (const TensorSpec& spec : ExpectedAutoencoder(config))
    bytes.device += bytes_of(*autoencoder, spec);
  return bytes;
}

void CheckRoom(const Ops& ops, const std::string& folder, const LoadedBytes& bytes, size_t layers,
               size_t work) {
  const size_t fetched = bytes.host * std::min(LayerStream::kLayersOnDevice, layers) / layers;
  CheckFits(folder, bytes.device + fetched, work, ops.Name(), ops.FreeBytes());
  const size_t available = AvailableMemory();
  if (available > 0) CheckFits(folder + " on demand", bytes.host, 0, "the host", available);
}

}  // namespace bagel
