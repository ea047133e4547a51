#include "quant/nf4.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"
#include "base/vector_clones.h"

namespace bagel {
namespace {

// Halfway between neighbouring levels.
std::array<float, 15> MakeBounds() {
  std::array<float, 15> bounds;
  for (size_t i = 0; i < bounds.size(); ++i) bounds[i] = (Nf4Map()[i] + Nf4Map()[i + 1]) / 2;
  return bounds;
}

// For each power of ten from 1e-6 to 1, 2^i levels: the midpoints of 2^i equal parts of [0.1, 1],
// with both signs; and 0 and 1.
std::array<float, 256> MakeNestedMap() {
  constexpr double kPowers[] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1};
  constexpr float kLow = 0.1f, kHigh = 1.0f;
  std::array<float, 256> map{};
  size_t count = 0;
  for (size_t i = 0; i < std::size(kPowers); ++i) {
    const int parts = 1 << i;
    const float step = (kHigh - kLow) / static_cast<float>(parts);
    // From whichever end is nearer, so that both ends are exact; rounded to f32 once.
    const auto bound = [&](int n) {
      return static_cast<float>(n < (parts + 1) / 2
                                    ? kLow + static_cast<double>(step) * n
                                    : kHigh - static_cast<double>(step) * (parts - n));
    };
    for (int n = 0; n < parts; ++n) {
      const float level = static_cast<float>(kPowers[i]) * ((bound(n) + bound(n + 1)) / 2);
      map[count++] = level;
      map[count++] = -level;
    }
  }
  map[count++] = 0;
  map[count++] = 1;
  CHECK(count == map.size());
  std::sort(map.begin(), map.end());
  return map;
}

// The magnitude and the bytes of one whole block. The loops have no branches, so that the compiler
// makes vectors of them. The bits of infinity and NaN are larger than those of any number.
BAGEL_VECTOR_CLONES
uint32_t EncodeBlock(const float* values, const float* bounds, uint8_t* packed) {
  int32_t largest = 0;
  for (int64_t i = 0; i < kNf4Block; ++i) {
    const auto bits = static_cast<int32_t>(std::bit_cast<uint32_t>(values[i]) & 0x7FFFFFFFu);
    largest = bits > largest ? bits : largest;
  }
  const float divisor = largest > 0 ? std::bit_cast<float>(largest) : 1.0f;
  float scaled[kNf4Block];
  int32_t nibbles[kNf4Block] = {};
  for (int64_t i = 0; i < kNf4Block; ++i) scaled[i] = values[i] / divisor;
  for (int bound = 0; bound < 15; ++bound) {
    for (int64_t i = 0; i < kNf4Block; ++i) nibbles[i] += scaled[i] > bounds[bound] ? 1 : 0;
  }
  for (int64_t i = 0; i < kNf4Block / 2; ++i)
    packed[i] = static_cast<uint8_t>(nibbles[2 * i] << 4 | nibbles[2 * i + 1]);
  return static_cast<uint32_t>(largest);
}

// Halfway between neighbouring nested levels, rounded down: no f32 lies between that and the exact
// middle.
std::array<float, 255> MakeNestedBounds() {
  const std::array<float, 256>& map = Nf4NestedMap();
  std::array<float, 255> bounds;
  for (size_t i = 0; i < bounds.size(); ++i) {
    const double middle = (static_cast<double>(map[i]) + map[i + 1]) / 2;
    bounds[i] = static_cast<float>(middle);
    if (bounds[i] > middle) bounds[i] = std::nextafter(bounds[i], -2.0f);
  }
  return bounds;
}

// A whole nested block: the codes of its magnitudes, less the offset, and the largest of those. A
// code counts the bounds below, by halving without branches.
BAGEL_VECTOR_CLONES
float EncodeNestedBlock(const float* absmax, float offset, const float* bounds, uint8_t* codes) {
  float scaled[kNf4NestedBlock];
  int32_t levels[kNf4NestedBlock] = {};
  float largest = 0;
  for (int64_t i = 0; i < kNf4NestedBlock; ++i) {
    scaled[i] = absmax[i] - offset;
    largest = std::max(largest, std::fabs(scaled[i]));
  }
  if (largest > 0) {
    for (float& value : scaled) value /= largest;
    for (int32_t step = 128; step > 0; step /= 2) {
      for (int64_t i = 0; i < kNf4NestedBlock; ++i)
        levels[i] += step & -static_cast<int32_t>(scaled[i] > bounds[levels[i] + step - 1]);
    }
  }
  for (int64_t i = 0; i < kNf4NestedBlock; ++i) codes[i] = static_cast<uint8_t>(levels[i]);
  return largest;
}

}  // namespace

const std::array<float, 16>& Nf4Map() {
  static constexpr std::array<float, 16> kMap = {-1.0f,
                                                 -0.6961928009986877f,
                                                 -0.5250730514526367f,
                                                 -0.39491748809814453f,
                                                 -0.28444138169288635f,
                                                 -0.18477343022823334f,
                                                 -0.09105003625154495f,
                                                 0.0f,
                                                 0.07958029955625534f,
                                                 0.16093020141124725f,
                                                 0.24611230194568634f,
                                                 0.33791524171829224f,
                                                 0.44070982933044434f,
                                                 0.5626170039176941f,
                                                 0.7229568362236023f,
                                                 1.0f};
  return kMap;
}

const std::array<float, 256>& Nf4NestedMap() {
  static const std::array<float, 256> map = MakeNestedMap();
  return map;
}

void UnpackNf4(const uint8_t* packed, const Nf4Scales& scales, int64_t first, int64_t count,
               float* values) {
  const int64_t last = first + count;
  for (int64_t i = first; i < last;) {
    const int64_t end = std::min(last, (i / kNf4Block + 1) * kNf4Block);
    const float absmax = Nf4Absmax(scales, i / kNf4Block);
    for (; i < end; ++i) {
      const int nibble = i % 2 == 0 ? packed[i / 2] >> 4 : packed[i / 2] & 15;
      *values++ = scales.map[nibble] * absmax;
    }
  }
}

bool PackNf4(std::span<const float> values, uint8_t* packed, float* absmax) {
  static const std::array<float, 15> bounds = MakeBounds();
  constexpr uint32_t kInfinityBits = 0x7F800000u;
  while (!values.empty()) {
    const size_t size = std::min<size_t>(kNf4Block, values.size());
    uint32_t largest = 0;
    if (size == kNf4Block) {
      largest = EncodeBlock(values.data(), bounds.data(), packed);
    } else {
      float padded[kNf4Block] = {};
      uint8_t bytes[kNf4Block / 2];
      std::copy(values.begin(), values.end(), padded);
      largest = EncodeBlock(padded, bounds.data(), bytes);
      std::copy(bytes, bytes + (size + 1) / 2, packed);
    }
    if (largest >= kInfinityBits) return false;
    *absmax++ = std::bit_cast<float>(largest);
    packed += (size + 1) / 2;
    values = values.subspan(size);
  }
  return true;
}

Nf4Nested NestNf4(std::span<const float> absmax) {
  static const std::array<float, 255> bounds = MakeNestedBounds();
  Nf4Nested nested;
  double sum = 0;
  for (const float value : absmax) sum += value;
  nested.offset =
      absmax.empty() ? 0.0f : static_cast<float>(sum / static_cast<double>(absmax.size()));
  nested.codes.resize(absmax.size());
  uint8_t* codes = nested.codes.data();
  while (!absmax.empty()) {
    const size_t size = std::min<size_t>(kNf4NestedBlock, absmax.size());
    if (size == kNf4NestedBlock) {
      nested.absmax.push_back(
          EncodeNestedBlock(absmax.data(), nested.offset, bounds.data(), codes));
    } else {
      std::array<float, kNf4NestedBlock> padded;
      std::array<uint8_t, kNf4NestedBlock> padded_codes;
      padded.fill(nested.offset);
      std::copy(absmax.begin(), absmax.end(), padded.begin());
      nested.absmax.push_back(
          EncodeNestedBlock(padded.data(), nested.offset, bounds.data(), padded_codes.data()));
      std::copy_n(padded_codes.begin(), size, codes);
    }
    codes += size;
    absmax = absmax.subspan(size);
  }
  return nested;
}

}  // namespace bagel
