// Sixteen bytes of a weight's row at a time, in any format that PlaceWeight makes.
#ifndef BAGEL_CUDA_WEIGHT_CHUNKS_CUH_
#define BAGEL_CUDA_WEIGHT_CHUNKS_CUH_

#include <cuda_fp16.h>

#include "base/error.h"
#include "tensor/weight.h"

namespace bagel {

// Word i, known when compiling, of sixteen bytes in registers.
__device__ inline unsigned WordOf(const uint4& bits, int i) {
  return i == 0 ? bits.x : i == 1 ? bits.y : i == 2 ? bits.z : bits.w;
}

__device__ inline float2 HalvesOf(unsigned word) {
  return __half22float2(*reinterpret_cast<const __half2*>(&word));
}

// A format has: kValues in 16 bytes; kTableWords 32-bit words of shared memory for a table;
// MakeTable, called by all threads of a block; Load, chunk `chunk` of a row; Scale, what its values
// are times; and Pair, values 2i and 2i + 1 without that.

struct F16Chunks {
  static constexpr int kValues = 8, kTableWords = 0;
  const __half* data;
  int64_t in;

  __device__ void MakeTable(unsigned*) const {}
  __device__ uint4 Load(int64_t row, int chunk) const {
    return *reinterpret_cast<const uint4*>(data + row * in + chunk * kValues);
  }
  __device__ float Scale(int64_t, int) const { return 1.0f; }
  __device__ static float2 Pair(const uint4& bits, int i, const unsigned*) {
    return HalvesOf(WordOf(bits, i));
  }
};

struct Int8Chunks {
  static constexpr int kValues = 16, kTableWords = 0;
  const int8_t* data;
  const __half* scales;
  int64_t in;

  __device__ void MakeTable(unsigned*) const {}
  __device__ uint4 Load(int64_t row, int chunk) const {
    return *reinterpret_cast<const uint4*>(data + row * in + chunk * kValues);
  }
  __device__ float Scale(int64_t row, int chunk) const {
    return __half2float(scales[row * (in / kInt8BlockSize) + chunk * kValues / kInt8BlockSize]);
  }
  __device__ static float2 Pair(const uint4& bits, int i, const unsigned*) {
    const unsigned word = WordOf(bits, i / 2) >> (16 * (i % 2));
    return make_float2(static_cast<float>(static_cast<int8_t>(word)),
                       static_cast<float>(static_cast<int8_t>(word >> 8)));
  }
};

// The two levels of a byte come from a table of 256 pairs in f16, one copy for each lane's bank.
struct Nf4Chunks {
  static constexpr int kValues = 32, kTableWords = 256 * 32;
  const uint8_t* data;
  const float* map;
  const float* absmax;
  int64_t in;

  __device__ void MakeTable(unsigned* table) const {
    const unsigned lane = threadIdx.x % 32;
    for (unsigned byte = threadIdx.x / 32; byte < 256; byte += blockDim.x / 32) {
      const __half2 pair = __floats2half2_rn(map[byte >> 4], map[byte & 15u]);
      table[byte * 32 + lane] = *reinterpret_cast<const unsigned*>(&pair);
    }
  }
  __device__ uint4 Load(int64_t row, int chunk) const {
    return *reinterpret_cast<const uint4*>(data + row * (in / 2) + chunk * (kValues / 2));
  }
  __device__ float Scale(int64_t row, int chunk) const {
    return absmax[row * (in / kNf4Block) + chunk * kValues / kNf4Block];
  }
  __device__ static float2 Pair(const uint4& bits, int i, const unsigned* table) {
    const unsigned byte = WordOf(bits, i / 4) >> (8 * (i % 4)) & 255u;
    return HalvesOf(table[byte * 32 + threadIdx.x % 32]);
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
  switch (weight.format) {
    case WeightFormat::kF16:
      return body(F16Chunks{static_cast<const __half*>(weight.data), weight.in});
    case WeightFormat::kInt8Block64:
      return body(Int8Chunks{static_cast<const int8_t*>(weight.data),
                             static_cast<const __half*>(weight.scales), weight.in});
    case WeightFormat::kNf4:
      CHECK(weight.nf4.absmax != nullptr);
      return body(Nf4Chunks{static_cast<const uint8_t*>(weight.data), weight.nf4.map,
                            weight.nf4.absmax, weight.in});
    case WeightFormat::kF32:
    case WeightFormat::kBF16:
      CheckFailed(__FILE__, __LINE__, "a weight that was not placed");
  }
}

}  // namespace bagel

#endif  // BAGEL_CUDA_WEIGHT_CHUNKS_CUH_
