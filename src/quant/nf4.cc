#include "quant/nf4.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"

namespace bagel {
namespace {

constexpr uint8_t kZeroNibble = 7;

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

// The bits of the largest magnitude; those of infinity and NaN are larger than all others.
uint32_t LargestBits(const float* values, int64_t count) {
  int32_t largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const auto bits = static_cast<int32_t>(std::bit_cast<uint32_t>(values[i]) & 0x7FFFFFFFu);
    largest = bits > largest ? bits : largest;
  }
  return static_cast<uint32_t>(largest);
}

// Nibbles of one whole block. The loops have no branches, so that the compiler makes vectors of
// them.
void EncodeBlock(const float* values, float absmax, const std::array<float, 15>& bounds,
                 int32_t* nibbles) {
  float scaled[kNf4Block];
  const float divisor = absmax > 0 ? absmax : 1.0f;
  for (int64_t i = 0; i < kNf4Block; ++i) {
    scaled[i] = values[i] / divisor;
    nibbles[i] = 0;
  }
  for (const float bound : bounds) {
    for (int64_t i = 0; i < kNf4Block; ++i) nibbles[i] += scaled[i] > bound ? 1 : 0;
  }
}

uint8_t NearestNestedLevel(float value) {
  const std::array<float, 256>& map = Nf4NestedMap();
  const auto above = std::lower_bound(map.begin(), map.end(), value);
  if (above == map.begin()) return 0;
  if (above == map.end()) return 255;
  const auto below = above - 1;
  const double middle = (static_cast<double>(*above) + *below) / 2;
  return static_cast<uint8_t>((value > middle ? above : below) - map.begin());
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
  const auto count = static_cast<int64_t>(values.size());
  for (int64_t first = 0; first < count; first += kNf4Block) {
    const int64_t size = std::min(kNf4Block, count - first);
    const float* source = values.data() + first;
    const uint32_t largest = LargestBits(source, size);
    if (largest >= kInfinityBits) return false;
    *absmax = std::bit_cast<float>(largest);
    int32_t nibbles[kNf4Block];
    if (size == kNf4Block) {
      EncodeBlock(source, *absmax, bounds, nibbles);
    } else {
      float padded[kNf4Block] = {};
      std::copy(source, source + size, padded);
      EncodeBlock(padded, *absmax, bounds, nibbles);
      nibbles[size] = kZeroNibble;
    }
    for (int64_t i = 0; i < (size + 1) / 2; ++i)
      packed[i] = static_cast<uint8_t>(nibbles[2 * i] << 4 | nibbles[2 * i + 1]);
    packed += (size + 1) / 2;
    ++absmax;
  }
  return true;
}

Nf4Nested NestNf4(std::span<const float> absmax) {
  Nf4Nested nested;
  double sum = 0;
  for (const float value : absmax) sum += value;
  nested.offset =
      absmax.empty() ? 0.0f : static_cast<float>(sum / static_cast<double>(absmax.size()));
  nested.codes.reserve(absmax.size());
  for (size_t first = 0; first < absmax.size(); first += kNf4NestedBlock) {
    const auto block =
        absmax.subspan(first, std::min<size_t>(kNf4NestedBlock, absmax.size() - first));
    float largest = 0;
    for (const float value : block) largest = std::max(largest, std::fabs(value - nested.offset));
    nested.absmax.push_back(largest);
    for (const float value : block) {
      nested.codes.push_back(largest > 0 ? NearestNestedLevel((value - nested.offset) / largest)
                                         : uint8_t{0});
    }
  }
  return nested;
}

}  // namespace bagel
