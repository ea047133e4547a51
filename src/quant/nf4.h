// NF4 as bitsandbytes stores it (https://arxiv.org/abs/2305.14314): 64 consecutive values of the
// flattened tensor share the largest magnitude, and each becomes one of 16 fixed levels. With
// double quantisation those magnitudes are themselves stored in 8 bits.
#ifndef BAGEL_QUANT_NF4_H_
#define BAGEL_QUANT_NF4_H_

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace bagel {

inline constexpr int64_t kNf4Block = 64;         // values that share one magnitude
inline constexpr int64_t kNf4NestedBlock = 256;  // magnitudes that share one nested magnitude
constexpr int64_t Nf4Blocks(int64_t count) { return (count + kNf4Block - 1) / kNf4Block; }
constexpr int64_t Nf4NestedBlocks(int64_t blocks) {
  return (blocks + kNf4NestedBlock - 1) / kNf4NestedBlock;
}

// The 16 levels, ascending from -1 to 1, and the 256 signed levels of a nested magnitude.
const std::array<float, 16>& Nf4Map();
const std::array<float, 256>& Nf4NestedMap();

// What turns nibbles into values, as it lies in a file; a view. Either `absmax` is set, or all of
// `codes`, `nested_absmax` and `nested_map`.
struct Nf4Scales {
  const float* map = nullptr;            // [16]
  const float* absmax = nullptr;         // [blocks]
  const uint8_t* codes = nullptr;        // [blocks]
  const float* nested_absmax = nullptr;  // [ceil(blocks / 256)]
  const float* nested_map = nullptr;     // [256]
  float nested_offset = 0;
};

// The magnitude of one block: absmax[block], or
// nested_map[codes[block]] * nested_absmax[block / 256] + nested_offset, rounded after each step
// (files that call it are compiled with -ffp-contract=off).
inline float Nf4Absmax(const Nf4Scales& scales, int64_t block) {
  if (scales.absmax != nullptr) return scales.absmax[block];
  const float level = scales.nested_map[scales.codes[block]];
  return level * scales.nested_absmax[block / kNf4NestedBlock] + scales.nested_offset;
}

// Values [first, first + count) of the flattened tensor, map[nibble] * magnitude. The first of two
// values sits in the high nibble of its byte.
void UnpackNf4(const uint8_t* packed, const Nf4Scales& scales, int64_t first, int64_t count,
               float* values);

// `values` begins at a block's first value. Writes ceil(size / 2) bytes and ceil(size / 64)
// magnitudes; the unused nibble of an odd tail is 7, which stands for 0. False, with the output
// unusable, when a value is not finite.
bool PackNf4(std::span<const float> values, uint8_t* packed, float* absmax);

// Magnitudes in 8 bits: offset = their mean; code = the nearest of the 256 levels to
// (absmax - offset) / (the largest |absmax - offset| of 256 neighbours), 0 where that is 0.
struct Nf4Nested {
  std::vector<uint8_t> codes;
  std::vector<float> absmax;
  float offset = 0;
};
Nf4Nested NestNf4(std::span<const float> absmax);

}  // namespace bagel

#endif  // BAGEL_QUANT_NF4_H_
