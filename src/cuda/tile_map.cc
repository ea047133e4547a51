#include "cuda/tile_map.h"

#include <string>

#include "base/error.h"
#include "cuda/launch.h"

namespace bagel {
namespace {

// From cuda.h, the same since version 12.
constexpr int kHalves = 6, kNoInterleave = 0, kSwizzle128 = 3, kPromoteTo256 = 3, kZeros = 0;
using EncodeFunction = int (*)(TileMap* map, int type, uint32_t rank, void* address,
                               const uint64_t* sizes, const uint64_t* strides, const uint32_t* box,
                               const uint32_t* steps, int interleave, int swizzle, int promotion,
                               int fill);

EncodeFunction FindEncode() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found{};
#if CUDART_VERSION >= 12050
  constexpr unsigned kSince = 12000;
  CUDA_CHECK(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, kSince,
                                              cudaEnableDefault, &found));
#else
  CUDA_CHECK(
      cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &function, cudaEnableDefault, &found));
#endif
  if (function == nullptr)
    throw Error(ErrorKind::kUnsupported, "the NVIDIA driver is older than CUDA 12.0");
  return reinterpret_cast<EncodeFunction>(function);
}

// Of all rows of kHead values from `rows` on, wherever they end.
TileMap MakeMap(EncodeFunction encode, const void* rows) {
  constexpr uint64_t kHead = 128, kManyRows = uint64_t{1} << 31;
  constexpr uint64_t kSizes[] = {kHead, kManyRows}, kStrides[] = {kHead * sizeof(uint16_t)};
  constexpr uint32_t kBox[] = {kTileMapColumns, kTileMapRows}, kSteps[] = {1, 1};
  TileMap map{};
  const int status = encode(&map, kHalves, 2, const_cast<void*>(rows), kSizes, kStrides, kBox,
                            kSteps, kNoInterleave, kSwizzle128, kPromoteTo256, kZeros);
  if (status != 0)
    throw Error(ErrorKind::kInternal,
                "cuTensorMapEncodeTiled answers with status " + std::to_string(status));
  return map;
}

}  // namespace

const KvTileMaps* TileMaps::Of(const KvLayer& cache) {
  CHECK(cache.dtype == DType::kF16 && cache.head_dim == 128);
  auto* maps = static_cast<KvTileMaps*>(memory_.Reserve(kMost * sizeof(KvTileMaps)));
  // Where there are no pages of one kind, nobody looks at their maps.
  const auto either = [](const void* a, const void* b) { return a != nullptr ? a : b; };
  const std::array<const void*, 4> key = {
      either(cache.k, cache.scratch_k), either(cache.v, cache.scratch_v),
      either(cache.scratch_k, cache.k), either(cache.scratch_v, cache.v)};
  if (const auto found = places_.find(key); found != places_.end()) return maps + found->second;
  if (places_.size() == kMost) places_.clear();
  static const EncodeFunction encode = FindEncode();
  const KvTileMaps made{MakeMap(encode, key[0]), MakeMap(encode, key[1]), MakeMap(encode, key[2]),
                        MakeMap(encode, key[3])};
  const size_t place = places_.size();
  CUDA_CHECK(cudaMemcpyAsync(maps + place, &made, sizeof(made), cudaMemcpyHostToDevice,
                             context_.stream()));
  places_[key] = place;
  return maps + place;
}

}  // namespace bagel
