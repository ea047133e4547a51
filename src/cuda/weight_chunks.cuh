// Sixteen bytes of a weight's row at a time, in any format that PlaceWeight makes.
#ifndef BAGEL_CUDA_WEIGHT_CHUNKS_CUH_
#define BAGEL_CUDA_WEIGHT_CHUNKS_CUH_

#include <cuda_fp16.h>

#include "base/error.h"
#include "cuda/ptx.cuh"
#include "tensor/weight.h"

namespace bagel {

// Word i, known when compiling, of sixteen bytes in registers.
__device__ inline unsigned WordOf(const uint4& bits, int i) {
  return i == 0 ? bits.x : i == 1 ? bits.y : i == 2 ? bits.z : bits.w;
}

__device__ inline __half2 AsHalves(unsigned word) {
  return *reinterpret_cast<const __half2*>(&word);
}

// A format has: kValues in 16 bytes; kBlock, columns that share a scale of the type Scale, or 0
// where there are none; kTableWords 32-bit words of shared memory for a table; MakeTable, called by
// all threads of a block; and Halves, values 2i and 2i + 1 without their scale, as f16. All are
// made of the same: data, scales, the levels of a code where there are some, and the columns.

struct F16Chunks {
  static constexpr int kValues = 8, kBlock = 0, kTableWords = 0;
  using Scale = float;
  const void* data;
  const void* scales;
  const float* map;
  int in;

  __device__ void MakeTable(unsigned*) const {}
  __device__ static __half2 Halves(const uint4& bits, int i, const unsigned*) {
    return AsHalves(WordOf(bits, i));
  }
};

struct Int8Chunks {
  static constexpr int kValues = 16, kBlock = static_cast<int>(kInt8BlockSize), kTableWords = 0;
  using Scale = __half;
  const void* data;
  const void* scales;
  const float* map;
  int in;

  __device__ void MakeTable(unsigned*) const {}
  __device__ static float2 Pair(const uint4& bits, int i, const unsigned*) {
    const unsigned word = WordOf(bits, i / 2) >> (16 * (i % 2));
    return make_float2(static_cast<float>(static_cast<int8_t>(word)),
                       static_cast<float>(static_cast<int8_t>(word >> 8)));
  }
  __device__ static __half2 Halves(const uint4& bits, int i, const unsigned* table) {
    const float2 pair = Pair(bits, i, table);
    return __floats2half2_rn(pair.x, pair.y);
  }
};

// The two levels of a byte come from a table of 256 pairs in f16, one copy for each lane's bank.
struct Nf4Chunks {
  static constexpr int kValues = 32, kBlock = static_cast<int>(kNf4Block), kTableWords = 256 * 32;
  using Scale = float;
  const void* data;
  const void* scales;
  const float* map;
  int in;

  __device__ void MakeTable(unsigned* table) const {
    const unsigned lane = threadIdx.x % 32, warps = blockDim.x / 32;
    const float level = map[lane % 16];
    for (unsigned byte = threadIdx.x / 32; byte < 256; byte += warps) {
      const float high = __shfl_sync(0xFFFFFFFFu, level, static_cast<int>(byte >> 4));
      const float low = __shfl_sync(0xFFFFFFFFu, level, static_cast<int>(byte & 15u));
      const __half2 pair = __floats2half2_rn(high, low);
      table[byte * 32 + lane] = *reinterpret_cast<const unsigned*>(&pair);
    }
  }
  __device__ static __half2 Halves(const uint4& bits, int i, const unsigned* table) {
    const unsigned word = WordOf(bits, i / 4);
    constexpr unsigned kRow = 255u * 32;
    const unsigned row = i % 4 == 0 ? word << 5 : word >> (8 * (i % 4) - 5);
    return AsHalves(table[(row & kRow) + threadIdx.x % 32]);
  }
};

// Whether a weight's rows are whole blocks and begin at multiples of 16 bytes.
inline bool InChunks(const Weight& weight) {
  constexpr int64_t kAlignment = 16;
  const auto address = reinterpret_cast<uintptr_t>(weight.data);
  return address % kAlignment == 0 &&
         weight.in % (weight.format == WeightFormat::kF16 ? 8 : kNf4Block) == 0;
}

// Calls body with the weight's chunks.
template <typename Body>
void WithWeightChunks(const Weight& weight, const Body& body) {
  const auto in = static_cast<int>(weight.in);
  switch (weight.format) {
    case WeightFormat::kF16:
      return body(F16Chunks{weight.data, nullptr, nullptr, in});
    case WeightFormat::kInt8Block64:
      return body(Int8Chunks{weight.data, weight.scales, nullptr, in});
    case WeightFormat::kNf4:
      CHECK(weight.nf4.absmax != nullptr);
      return body(Nf4Chunks{weight.data, weight.nf4.absmax, weight.nf4.map, in});
    case WeightFormat::kF32:
    case WeightFormat::kBF16:
      CheckFailed(__FILE__, __LINE__, "a weight that was not placed");
  }
}

}  // namespace bagel

#endif  // BAGEL_CUDA_WEIGHT_CHUNKS_CUH_
