// Descriptions of matrices from which a multiprocessor of sm_90 copies tiles into shared memory by
// itself, without instructions of threads: "Tensor Map Object Management" in the CUDA driver's
// manual.
#ifndef BAGEL_CUDA_TILE_MAP_H_
#define BAGEL_CUDA_TILE_MAP_H_

#include <array>
#include <cstdint>
#include <map>

#include "cuda/context.h"
#include "cuda/device_buffer.h"
#include "tensor/ops.h"

namespace bagel {

// What the driver makes of a description; its content is the driver's.
struct alignas(64) TileMap {
  unsigned char bytes[128];
};

// A tile is one panel of cuda/hopper.cuh.
inline constexpr uint32_t kTileMapRows = 128, kTileMapColumns = 64;

// The maps of one layer's cache.
struct KvTileMaps {
  TileMap keys, values, scratch_keys, scratch_values;
};

// Makes and keeps the maps of caches of f16 with heads of 128.
class TileMaps {
 public:
  explicit TileMaps(CudaContext& context) : context_(context) {}

  // In the device's memory, for kernels that are queued before the next call. Throws kUnsupported
  // where the driver has no such maps.
  const KvTileMaps* Of(const KvLayer& cache);

 private:
  static constexpr size_t kMost = 256;

  CudaContext& context_;
  DeviceBuffer memory_;
  std::map<std::array<const void*, 4>, size_t> places_;
};

}  // namespace bagel

#endif  // BAGEL_CUDA_TILE_MAP_H_
