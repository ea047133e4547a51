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

// Times 16 bits, these in both halves of a word.
inline constexpr unsigned kTwice = 0x10001;

// A format has: kValues in 16 bytes; kTableWords 32-bit words of shared memory for a table;
// MakeTable, called by all threads of a block with what Level gave them, times a factor; Halves,
// values 2i and 2i + 1 without their scale, as f16; and Scales, those of kStepColumns columns of a
// row, from which ScaleOf picks that of the 16 bytes which lane `quarter` of four has of half
// `half` of these columns, twice. All are made of the same: data, scales, the levels of a code
// where there are some, and the columns.

struct F16Chunks {
  static constexpr int kValues = 8, kStepColumns = 64, kTableWords = 0;
  static constexpr bool kHasScales = false;
  struct Scales {};
  const void* data;
  const void* scales;
  const float* map;
  int in;

  __device__ float Level() const { return 0; }
  __device__ static void MakeTable(unsigned*, float) {}
  __device__ static __half2 Halves(const uint4& bits, int i, const unsigned*) {
    return AsHalves(WordOf(bits, i));
  }
};

struct Int8Chunks {
  static constexpr int kValues = 16, kStepColumns = 128, kTableWords = 0;
  static constexpr bool kHasScales = true;
  using Scales = unsigned;
  const void* data;
  const void* scales;
  const float* map;
  int in;

  __device__ float Level() const { return 0; }
  __device__ static void MakeTable(unsigned*, float) {}
  __device__ static float2 Pair(const uint4& bits, int i, const unsigned*) {
    const unsigned word = WordOf(bits, i / 2) >> (16 * (i % 2));
    return make_float2(static_cast<float>(static_cast<int8_t>(word)),
                       static_cast<float>(static_cast<int8_t>(word >> 8)));
  }
  // A byte behind 0x64 is 1024 and the byte in f16: without a conversion, of which a multiprocessor
  // does few.
  __device__ static __half2 Halves(const uint4& bits, int i, const unsigned*) {
    const unsigned word = WordOf(bits, i / 2) ^ 0x80808080u;
    const unsigned pair = __byte_perm(word, 0x64646464u, i % 2 == 0 ? 0x4140u : 0x4342u);
    return __hsub2(AsHalves(pair), __float2half2_rn(1024.0f + 128.0f));
  }
  __device__ static __half2 ScaleOf(Scales scales, int half, int) {
    return AsHalves((scales >> (16 * half) & 0xFFFFu) * kTwice);
  }
};

// The two levels of a byte come from a table of 256 pairs in f16, one copy for each lane's bank.
struct Nf4Chunks {
  static constexpr int kValues = 32, kStepColumns = 256, kTableWords = 256 * 32;
  static constexpr bool kHasScales = true;
  using Scales = uint2;
  const void* data;
  const void* scales;
  const float* map;
  int in;

  __device__ float Level() const { return map[threadIdx.x % 16]; }
  __device__ static void MakeTable(unsigned* table, float level) {
    constexpr unsigned kOfByte = 32 / 4;  // of four lanes' copies
    for (unsigned i = threadIdx.x; i < 256 * kOfByte; i += blockDim.x) {
      const unsigned byte = i / kOfByte;
      const float high = __shfl_sync(0xFFFFFFFFu, level, static_cast<int>(byte >> 4));
      const float low = __shfl_sync(0xFFFFFFFFu, level, static_cast<int>(byte & 15u));
      const __half2 pair = __floats2half2_rn(high, low);
      const unsigned word = *reinterpret_cast<const unsigned*>(&pair);
      reinterpret_cast<uint4*>(table)[i] = make_uint4(word, word, word, word);
    }
  }
  __device__ static __half2 Halves(const uint4& bits, int i, const unsigned* table) {
    const unsigned word = WordOf(bits, i / 4);
    constexpr unsigned kRow = 255u * 128;  // bytes of the table
    const unsigned row = i % 4 == 0 ? word << 7 : word >> (8 * (i % 4) - 7);
    const unsigned at = (row & kRow) | threadIdx.x % 32 * 4;
    return AsHalves(*reinterpret_cast<const unsigned*>(reinterpret_cast<const char*>(table) + at));
  }
  __device__ static __half2 ScaleOf(const Scales& scales, int half, int quarter) {
    const unsigned both = half == 0 ? scales.x : scales.y;
    return AsHalves((both >> (quarter < 2 ? 0 : 16) & 0xFFFFu) * kTwice);
  }
};

// Whether a weight's rows are whole steps and begin at multiples of 16 bytes.
inline bool InChunks(const Weight& weight) {
  constexpr int64_t kAlignment = 16;
  const auto address = reinterpret_cast<uintptr_t>(weight.data);
  const int64_t step = weight.format == WeightFormat::kF16           ? F16Chunks::kStepColumns
                       : weight.format == WeightFormat::kInt8Block64 ? Int8Chunks::kStepColumns
                                                                     : Nf4Chunks::kStepColumns;
  return address % kAlignment == 0 && weight.in % step == 0;
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
      return body(Nf4Chunks{weight.data, weight.scales, weight.nf4.map, in});
    case WeightFormat::kF32:
    case WeightFormat::kBF16:
      CheckFailed(__FILE__, __LINE__, "a weight that was not placed");
  }
}

}  // namespace bagel

#endif  // BAGEL_CUDA_WEIGHT_CHUNKS_CUH_
