// The decoder's layers for steps that draw, where the weights that draw lie in host memory.
#ifndef BAGEL_MODEL_LAYER_STREAM_H_
#define BAGEL_MODEL_LAYER_STREAM_H_

#include <array>
#include <cstddef>

#include "model/weights.h"
#include "tensor/ops.h"

namespace bagel {

// Copies one layer to the device while the layer before it runs, so two of them are there at once.
// Does nothing where BagelWeights::gen_on_host is false.
class LayerStream {
 public:
  static constexpr size_t kLayersOnDevice = 2;

  // Both must outlive it.
  LayerStream(Ops& ops, const BagelWeights& weights);
  ~LayerStream();
  LayerStream(const LayerStream&) = delete;
  LayerStream& operator=(const LayerStream&) = delete;

  // Takes the device memory that Fetch needs, unless it is there already. Throws kOutOfMemory.
  void Reserve();
  void Release();

  // Layer `index` with both experts on the device, until the next one is asked for. A step asks for
  // its layers in order, from the first. `ops` is the device, or a MeasuringOps in its place.
  const DecoderLayer& Fetch(Ops& ops, size_t index);

 private:
  void Begin(Ops& ops, size_t index);

  Ops& ops_;
  const BagelWeights& weights_;
  size_t layer_bytes_ = 0;  // of the largest
  char* memory_ = nullptr;
  std::array<DecoderLayer, kLayersOnDevice> fetched_;
};

}  // namespace bagel

#endif  // BAGEL_MODEL_LAYER_STREAM_H_
