// Where a product's values come from, see gemm.cuh: tensors and weights.
#ifndef BAGEL_CUDA_GEMM_SOURCES_CUH_
#define BAGEL_CUDA_GEMM_SOURCES_CUH_

#include <cuda_fp16.h>

#include "cuda/values.cuh"
#include "cuda/weight_chunks.cuh"
#include "tensor/weight.h"

namespace bagel {

// Rows of f16, whose columns are a multiple of eight and 16-byte aligned.
struct HalfSource {
  static constexpr int kPiece = 8;
  const __half* data;
  int64_t stride;
  int rows, cols;

  using Raw = uint4;
  __device__ void Prepare() const {}
  __device__ __forceinline__ Raw Fetch(int row, int k) const {
    if (k >= cols) return make_uint4(0, 0, 0, 0);
    return *reinterpret_cast<const uint4*>(data + (row < rows ? row : rows - 1) * stride + k);
  }
  __device__ __forceinline__ void Unpack(const Raw& raw, uint4 (&halves)[1]) const {
    halves[0] = raw;
  }
};

// Blocks begin anew at each row.
struct Int8Source {
  static constexpr int kPiece = 16;
  const int8_t* data;
  const __half* scales;
  int rows, cols;

  struct Raw {
    uint4 bits;
    float scale;
  };
  __device__ void Prepare() const {}
  __device__ __forceinline__ Raw Fetch(int row, int k) const {
    Raw raw{};
    if (row >= rows || k >= cols) return raw;
    constexpr int kBlock = static_cast<int>(kInt8BlockSize);
    const int blocks = (cols + kBlock - 1) / kBlock;
    raw.bits = *reinterpret_cast<const uint4*>(data + static_cast<int64_t>(row) * cols + k);
    raw.scale = __half2float(scales[static_cast<int64_t>(row) * blocks + k / kBlock]);
    return raw;
  }
  __device__ __forceinline__ void Unpack(const Raw& raw, uint4 (&halves)[2]) const {
    unsigned words[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float2 pair = Int8Chunks::Pair(raw.bits, i, nullptr);
      words[i] = PackPair(pair.x * raw.scale, pair.y * raw.scale);
    }
    halves[0] = make_uint4(words[0], words[1], words[2], words[3]);
    halves[1] = make_uint4(words[4], words[5], words[6], words[7]);
  }
};

// Blocks run on from row to row.
struct Nf4Source {
  static constexpr int kPiece = 16;
  const uint8_t* data;
  const float* map;
  const __half* absmax;
  int rows, cols;

  struct Raw {
    uint2 bits;
    float scale;
  };
  // The levels, one copy for each lane's bank.
  __device__ static float* Levels() {
    __shared__ float levels[16 * 32];
    return levels;
  }
  __device__ void Prepare() const {
    for (unsigned i = threadIdx.x; i < 16 * 32; i += blockDim.x) Levels()[i] = map[i / 32];
  }
  __device__ __forceinline__ Raw Fetch(int row, int k) const {
    Raw raw{};
    if (row >= rows || k >= cols) return raw;
    const int64_t first = static_cast<int64_t>(row) * cols + k;
    raw.bits = *reinterpret_cast<const uint2*>(data + first / 2);
    raw.scale = __half2float(absmax[first / kNf4Block]);
    return raw;
  }
  __device__ __forceinline__ void Unpack(const Raw& raw, uint4 (&halves)[2]) const {
    const float* levels = Levels() + threadIdx.x % 32;
    unsigned words[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const unsigned byte = (i < 4 ? raw.bits.x : raw.bits.y) >> (8 * (i % 4));
      words[i] = PackPair(levels[(byte >> 4 & 15u) * 32] * raw.scale,
                          levels[(byte & 15u) * 32] * raw.scale);
    }
    halves[0] = make_uint4(words[0], words[1], words[2], words[3]);
    halves[1] = make_uint4(words[4], words[5], words[6], words[7]);
  }
};

// Whether a weight has a source: aligned pieces that lie in one block.
inline bool HasSource(const Weight& weight) {
  return reinterpret_cast<uintptr_t>(weight.data) % 16 == 0 &&
         weight.in % (weight.format == WeightFormat::kF16 ? 8 : 16) == 0;
}

// Calls body with the source of a weight for which HasSource.
template <typename Body>
void WithWeightSource(const Weight& weight, const Body& body) {
  const auto out = static_cast<int>(weight.out), in = static_cast<int>(weight.in);
  switch (weight.format) {
    case WeightFormat::kF16:
      return body(HalfSource{static_cast<const __half*>(weight.data), weight.in, out, in});
    case WeightFormat::kInt8Block64:
      return body(Int8Source{static_cast<const int8_t*>(weight.data),
                             static_cast<const __half*>(weight.scales), out, in});
    case WeightFormat::kNf4:
      return body(Nf4Source{static_cast<const uint8_t*>(weight.data), weight.nf4.map,
                            static_cast<const __half*>(weight.scales), out, in});
    case WeightFormat::kF32:
    case WeightFormat::kBF16:
      CheckFailed(__FILE__, __LINE__, "a weight that was not placed");
  }
}

}  // namespace bagel

#endif  // BAGEL_CUDA_GEMM_SOURCES_CUH_
