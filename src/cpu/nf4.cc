#include "cpu/nf4.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/nf4.cc"
// clang-format off: this one comes first, it includes the file once for each target
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include "base/error.h"
#include "cpu/weights.h"

HWY_BEFORE_NAMESPACE();
namespace bagel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32Tag = hn::CappedTag<float, 16>;
using U32Tag = hn::RebindToUnsigned<F32Tag>;
using V = hn::Vec<F32Tag>;
using Bits = hn::Vec<U32Tag>;
constexpr F32Tag kTag;
constexpr U32Tag kBitsTag;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(F32Tag()));

// In four bytes, read as one little-endian number, value i of eight begins at bit kShifts[i].
alignas(64) constexpr uint32_t kShifts[16] = {4, 0, 12, 8, 20, 16, 28, 24,
                                              4, 0, 12, 8, 20, 16, 28, 24};

HWY_INLINE uint32_t ReadBits(const uint8_t* packed) {
  uint32_t bits = 0;
  std::memcpy(&bits, packed, sizeof(bits));
  return bits;
}

// The 16 levels, ready to be looked up for kLanes nibbles at a time.
class Levels {
 public:
  explicit Levels(const float* map) : map_(map) {}

  // The levels of values [i, i + kLanes), i a multiple of kLanes.
  HWY_INLINE V Load(const uint8_t* packed, int64_t i) const {
    if constexpr (kLanes == 16) {
      const uint8_t* bytes = packed + i / 2;
      const Bits low = hn::Set(kBitsTag, ReadBits(bytes));
      const Bits high = hn::Set(kBitsTag, ReadBits(bytes + 4));
      const Bits nibbles = Nibbles(hn::IfThenElse(hn::FirstN(kBitsTag, 8), low, high));
      return hn::TableLookupLanes(hn::LoadU(kTag, map_), hn::IndicesFromVec(kTag, nibbles));
    } else if constexpr (kLanes == 8) {
      const Bits nibbles = Nibbles(hn::Set(kBitsTag, ReadBits(packed + i / 2)));
      const auto lane = hn::IndicesFromVec(kTag, hn::And(nibbles, hn::Set(kBitsTag, 7)));
      const auto upper = hn::MaskFromVec(hn::BitCast(kTag, hn::ShiftLeft<28>(nibbles)));
      return hn::IfThenElse(upper, hn::TableLookupLanes(hn::LoadU(kTag, map_ + 8), lane),
                            hn::TableLookupLanes(hn::LoadU(kTag, map_), lane));
    } else {
      HWY_ALIGN float values[kLanes];
      for (int64_t j = 0; j < kLanes; ++j) {
        const uint8_t byte = packed[(i + j) / 2];
        values[j] = map_[(i + j) % 2 == 0 ? byte >> 4 : byte & 15];
      }
      return hn::Load(kTag, values);
    }
  }

 private:
  static HWY_INLINE Bits Nibbles(Bits bits) {
    return hn::And(hn::Shr(bits, hn::LoadU(kBitsTag, kShifts)), hn::Set(kBitsTag, 15));
  }

  const float* map_;
};

// Whole blocks: one product with the magnitude for each block's sum of level * x.
template <int kXRows>
void DotBlocks(const Weight& weight, int64_t first, int64_t last, const float* x, int64_t x_stride,
               bool add, float* y, int64_t y_stride) {
  const int64_t blocks = weight.in / kNf4Block;
  const Levels levels(weight.nf4.map);
  for (int64_t n = first; n < last; ++n) {
    const uint8_t* packed = static_cast<const uint8_t*>(weight.data) + n * weight.in / 2;
    V sums[kXRows];
    for (int m = 0; m < kXRows; ++m) sums[m] = hn::Zero(kTag);
    for (int64_t block = 0; block < blocks; ++block) {
      const float* values = x + block * kNf4Block;
      V block_sums[kXRows];
      for (int m = 0; m < kXRows; ++m) block_sums[m] = hn::Zero(kTag);
      for (int64_t i = 0; i < kNf4Block; i += kLanes) {
        const V level = levels.Load(packed, block * kNf4Block + i);
        for (int m = 0; m < kXRows; ++m)
          block_sums[m] =
              hn::MulAdd(level, hn::LoadU(kTag, values + m * x_stride + i), block_sums[m]);
      }
      const V absmax = hn::Set(kTag, Nf4Absmax(weight.nf4, n * blocks + block));
      for (int m = 0; m < kXRows; ++m) sums[m] = hn::MulAdd(block_sums[m], absmax, sums[m]);
    }
    const float bias = weight.bias ? weight.bias[n] : 0.0f;
    for (int m = 0; m < kXRows; ++m) {
      float& out = y[m * y_stride + n];
      out = hn::GetLane(hn::SumOfLanes(kTag, sums[m])) + bias + (add ? out : 0.0f);
    }
  }
}

// Rows that begin or end inside a block: unpacked a piece at a time.
void DotAnyRows(const Weight& weight, int64_t first, int64_t last, const float* x, int64_t x_stride,
                int64_t rows, bool add, float* y, int64_t y_stride) {
  constexpr int64_t kPiece = 512;
  float values[kPiece];
  for (int64_t n = first; n < last; ++n) {
    float sums[kMaxDotRows] = {};
    for (int64_t from = 0; from < weight.in; from += kPiece) {
      const int64_t count = std::min(kPiece, weight.in - from);
      UnpackNf4(static_cast<const uint8_t*>(weight.data), weight.nf4, n * weight.in + from, count,
                values);
      for (int64_t m = 0; m < rows; ++m) {
        V sum = hn::Zero(kTag);
        int64_t i = 0;
        for (; i + kLanes <= count; i += kLanes)
          sum = hn::MulAdd(hn::LoadU(kTag, values + i),
                           hn::LoadU(kTag, x + m * x_stride + from + i), sum);
        sums[m] += hn::GetLane(hn::SumOfLanes(kTag, sum));
        for (; i < count; ++i) sums[m] += values[i] * x[m * x_stride + from + i];
      }
    }
    for (int64_t m = 0; m < rows; ++m) {
      float& out = y[m * y_stride + n];
      out = sums[m] + (weight.bias ? weight.bias[n] : 0.0f) + (add ? out : 0.0f);
    }
  }
}

void DotRowsNf4(const Weight& weight, int64_t first, int64_t last, const float* x, int64_t x_stride,
                int64_t rows, bool add, float* y, int64_t y_stride) {
  if (weight.in % kNf4Block != 0)
    return DotAnyRows(weight, first, last, x, x_stride, rows, add, y, y_stride);
  using Function =
      void (*)(const Weight&, int64_t, int64_t, const float*, int64_t, bool, float*, int64_t);
  static constexpr Function kByRows[kMaxDotRows] = {DotBlocks<1>, DotBlocks<2>, DotBlocks<3>,
                                                    DotBlocks<4>, DotBlocks<5>, DotBlocks<6>,
                                                    DotBlocks<7>, DotBlocks<8>};
  kByRows[rows - 1](weight, first, last, x, x_stride, add, y, y_stride);
}

void UnpackColumnsNf4(const Weight& weight, int64_t row, int64_t first, int64_t count,
                      float* values) {
  const auto* packed = static_cast<const uint8_t*>(weight.data);
  const int64_t begin = row * weight.in + first;
  int64_t done = 0;
  if (begin % kNf4Block == 0) {
    const Levels levels(weight.nf4.map);
    for (; done + kNf4Block <= count; done += kNf4Block) {
      const V absmax = hn::Set(kTag, Nf4Absmax(weight.nf4, (begin + done) / kNf4Block));
      for (int64_t i = 0; i < kNf4Block; i += kLanes)
        hn::StoreU(hn::Mul(levels.Load(packed, begin + done + i), absmax), kTag, values + done + i);
    }
  }
  UnpackNf4(packed, weight.nf4, begin + done, count - done, values + done);
}

}  // namespace bagel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bagel {

HWY_EXPORT(DotRowsNf4);
HWY_EXPORT(UnpackColumnsNf4);

void DotRowsNf4(const Weight& weight, int64_t first, int64_t last, const float* x, int64_t x_stride,
                int64_t rows, bool add, float* y, int64_t y_stride) {
  HWY_DYNAMIC_DISPATCH(DotRowsNf4)(weight, first, last, x, x_stride, rows, add, y, y_stride);
}

void UnpackColumnsNf4(const Weight& weight, int64_t row, int64_t first, int64_t count,
                      float* values) {
  HWY_DYNAMIC_DISPATCH(UnpackColumnsNf4)(weight, row, first, count, values);
}

}  // namespace bagel
#endif  // HWY_ONCE
