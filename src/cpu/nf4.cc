#include "cpu/nf4.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/nf4.cc"
// clang-format off: this one comes first, it includes the file once for each target
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include "base/error.h"
#include "cpu/nf4_kernels.h"
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
constexpr hn::RebindToSigned<F32Tag> kIntTag;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(F32Tag()));

// Magnitudes of blocks [first, first + count): Nf4Absmax, vectorised.
void Magnitudes(const Nf4Scales& scales, int64_t first, int64_t count, float* out) {
  if (scales.absmax != nullptr) {
    std::memcpy(out, scales.absmax + first, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  const hn::Rebind<uint8_t, F32Tag> codes_tag;
  const V offset = hn::Set(kTag, scales.nested_offset);
  for (int64_t i = 0; i < count;) {
    const int64_t nested = (first + i) / kNf4NestedBlock;
    const int64_t end = std::min(count, (nested + 1) * kNf4NestedBlock - first);
    const V factor = hn::Set(kTag, scales.nested_absmax[nested]);
    for (; i + kLanes <= end; i += kLanes) {
      __builtin_prefetch(scales.codes + first + i + kNf4Magnitudes);
      const auto codes = hn::PromoteTo(kIntTag, hn::LoadU(codes_tag, scales.codes + first + i));
      const V levels = hn::GatherIndex(kTag, scales.nested_map, codes);
      hn::StoreU(hn::Add(hn::Mul(levels, factor), offset), kTag, out + i);
    }
    for (; i < end; ++i) out[i] = Nf4Absmax(scales, first + i);
  }
}

// q = round(x / scale), |q| <= limit, one scale for each block.
void QuantizeBlocks(const float* x, int64_t blocks, int32_t limit, int16_t* q, float* scales) {
  const hn::Rebind<int16_t, F32Tag> narrow;
  for (int64_t block = 0; block < blocks; ++block, x += kNf4Block, q += kNf4Block) {
    V largest = hn::Zero(kTag);
    for (int64_t i = 0; i < kNf4Block; i += kLanes)
      largest = hn::Max(largest, hn::Abs(hn::LoadU(kTag, x + i)));
    const float absmax = hn::GetLane(hn::MaxOfLanes(kTag, largest));
    scales[block] = absmax / static_cast<float>(limit);
    // 1 / scale passes the largest float where x is tiny; such a block counts as zeros.
    const float inverse = absmax > 1e-30f ? static_cast<float>(limit) / absmax : 0.0f;
    for (int64_t i = 0; i < kNf4Block; i += kLanes) {
      const V scaled = hn::Mul(hn::LoadU(kTag, x + i), hn::Set(kTag, inverse));
      hn::StoreU(hn::DemoteTo(narrow, hn::NearestInt(scaled)), narrow, q + i);
    }
  }
}

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

#if HWY_TARGET == HWY_SCALAR

void Arrange16(const int16_t* q, int64_t blocks, int16_t* row) {
  std::copy(q, q + blocks * kNf4Block, row);
}

template <int kXRows>
void DotRows16(const Nf4Product& p) {
  const Weight& weight = p.weight;
  const int64_t blocks = weight.in / kNf4Block;
  const auto* packed = static_cast<const uint8_t*>(weight.data);
  for (int64_t n = p.first; n < p.last; ++n) {
    for (int64_t m = 0; m < kXRows; ++m) {
      const auto* q = reinterpret_cast<const int16_t*>(p.x + m * p.x_row_bytes);
      float sum = weight.bias ? weight.bias[n] : 0.0f;
      for (int64_t b = 0; b < blocks; ++b) {
        float block_sum = 0;
        for (int64_t i = b * kNf4Block; i < (b + 1) * kNf4Block; ++i) {
          const uint8_t byte = packed[(n * weight.in + i) / 2];
          block_sum += weight.nf4.map[i % 2 == 0 ? byte >> 4 : byte & 15] * q[i];
        }
        sum += block_sum * p.magnitudes[(n - p.first) * blocks + b] *
               p.x_scales[m * kNf4Magnitudes + b];
      }
      float& out = p.y[m * p.y_stride + n];
      out = sum + (p.add ? out : 0.0f);
    }
  }
}

#else

// The nibbles of one vector of bytes give four vectors of 16-bit levels. A 128-bit vector holds
// half a block, a 512-bit vector two.
constexpr hn::CappedTag<uint8_t, 64> kByteTag;
constexpr hn::Repartition<int16_t, decltype(kByteTag)> kShortTag;
constexpr hn::Repartition<int32_t, decltype(kByteTag)> kSumTag;
constexpr hn::Repartition<float, decltype(kByteTag)> kScaleTag;
constexpr auto kBytes = static_cast<int64_t>(hn::MaxLanes(kByteTag));
constexpr int64_t kBlockBytes = kNf4Block / 2;
static_assert(kBytes <= 2 * kBlockBytes);
using Bytes = hn::Vec<decltype(kByteTag)>;
using Sums = hn::Vec<decltype(kSumTag)>;

// For every vector of bytes: the activations of its high nibbles, those of its low ones, each as
// InterleaveLower and InterleaveUpper order them.
void Arrange16(const int16_t* q, int64_t blocks, int16_t* row) {
  const int64_t values = blocks * kNf4Block;
  for (int64_t from = 0; from < values; from += 2 * kBytes) {
    for (int64_t nibble = 0; nibble < 2; ++nibble) {
      for (int64_t upper = 0; upper < 2; ++upper) {
        for (int64_t lane = 0; lane < kBytes / 2; ++lane) {
          const int64_t byte = lane / 8 * 16 + upper * 8 + lane % 8;
          const int64_t i = from + 2 * byte + nibble;
          *row++ = i < values ? q[i] : int16_t{0};
        }
      }
    }
  }
}

// The 16 levels as integers, a table for each of their bytes.
struct Tables {
  Bytes low, high;
  HWY_ATTR explicit Tables(const float* map) {
    HWY_ALIGN uint8_t low_bytes[16], high_bytes[16];
    for (int i = 0; i < 16; ++i) {
      const auto level = static_cast<uint16_t>(
          static_cast<int16_t>(std::lround(map[i] * static_cast<float>(kNf4ShortLevel))));
      low_bytes[i] = static_cast<uint8_t>(level & 255);
      high_bytes[i] = static_cast<uint8_t>(level >> 8);
    }
    low = hn::LoadDup128(kByteTag, low_bytes);
    high = hn::LoadDup128(kByteTag, high_bytes);
  }
};

// One vector of packed weights times kXRows vectors of activations.
template <int kXRows>
HWY_INLINE void MultiplyVector(Bytes packed, const Tables& tables, const uint8_t* x,
                               int64_t x_row_bytes, Sums (&sums)[kXRows][2]) {
  const hn::Repartition<uint16_t, decltype(kByteTag)> words;
  const Bytes mask = hn::Set(kByteTag, 15);
  const Bytes nibbles[2] = {
      hn::And(hn::BitCast(kByteTag, hn::ShiftRight<4>(hn::BitCast(words, packed))), mask),
      hn::And(packed, mask)};
  for (int nibble = 0; nibble < 2; ++nibble) {
    const Bytes low = hn::TableLookupBytes(tables.low, nibbles[nibble]);
    const Bytes high = hn::TableLookupBytes(tables.high, nibbles[nibble]);
    const auto first = hn::BitCast(kShortTag, hn::InterleaveLower(kByteTag, low, high));
    const auto second = hn::BitCast(kShortTag, hn::InterleaveUpper(kByteTag, low, high));
    for (int m = 0; m < kXRows; ++m) {
      const auto* values = reinterpret_cast<const int16_t*>(x + m * x_row_bytes) + nibble * kBytes;
      sums[m][0] = hn::ReorderWidenMulAccumulate(kSumTag, first, hn::Load(kShortTag, values),
                                                 sums[m][0], sums[m][1]);
      sums[m][0] = hn::ReorderWidenMulAccumulate(
          kSumTag, second, hn::Load(kShortTag, values + kBytes / 2), sums[m][0], sums[m][1]);
    }
  }
}

// The scale of each lane's block, for the vector of bytes that begins at `byte` of a row.
HWY_INLINE hn::Vec<decltype(kScaleTag)> LoadScales(const float* scales, int64_t byte) {
  scales += byte / kBlockBytes;
  const auto first = hn::Set(kScaleTag, scales[0]);
  if constexpr (kBytes <= kBlockBytes) {
    return first;
  } else {
    return hn::IfThenElse(hn::FirstN(kScaleTag, kBlockBytes / 4), first,
                          hn::Set(kScaleTag, scales[1]));
  }
}

template <int kXRows>
void DotRows16(const Nf4Product& p) {
  const Weight& weight = p.weight;
  const int64_t blocks = weight.in / kNf4Block, bytes = weight.in / 2;
  const Tables tables(weight.nf4.map);
  HWY_ALIGN float scales[kXRows * kNf4Magnitudes];
  for (int64_t n = p.first; n < p.last; ++n) {
    const float* magnitudes = p.magnitudes + (n - p.first) * blocks;
    for (int64_t m = 0; m < kXRows * kNf4Magnitudes; m += kNf4Magnitudes) {
      for (int64_t b = 0; b < blocks; b += kLanes)
        hn::Store(hn::Mul(hn::LoadU(kTag, magnitudes + b), hn::LoadU(kTag, p.x_scales + m + b)),
                  kTag, scales + m + b);
    }
    const uint8_t* packed = static_cast<const uint8_t*>(weight.data) + n * bytes;
    hn::Vec<decltype(kScaleTag)> totals[kXRows];
    for (int m = 0; m < kXRows; ++m) totals[m] = hn::Zero(kScaleTag);
    for (int64_t byte = 0; byte < bytes; byte += kBytes) {
      PrefetchNf4(packed + byte);
      // Activations and scales beyond the end are zeros.
      const Bytes nibbles =
          byte + kBytes <= bytes
              ? hn::LoadU(kByteTag, packed + byte)
              : hn::MaskedLoad(hn::FirstN(kByteTag, kBlockBytes), kByteTag, packed + byte);
      Sums sums[kXRows][2];
      for (int m = 0; m < kXRows; ++m) sums[m][0] = sums[m][1] = hn::Zero(kSumTag);
      MultiplyVector(nibbles, tables, p.x + byte * 4, p.x_row_bytes, sums);
      for (int m = 0; m < kXRows; ++m) {
        const auto sum = hn::ConvertTo(kScaleTag, hn::Add(sums[m][0], sums[m][1]));
        totals[m] = hn::MulAdd(sum, LoadScales(scales + m * kNf4Magnitudes, byte), totals[m]);
      }
    }
    const float bias = weight.bias ? weight.bias[n] : 0.0f;
    for (int m = 0; m < kXRows; ++m) {
      const float sum = hn::GetLane(hn::SumOfLanes(kScaleTag, totals[m]));
      float& out = p.y[m * p.y_stride + n];
      out = sum / static_cast<float>(kNf4ShortLevel) + bias + (p.add ? out : 0.0f);
    }
  }
}

#endif

void DotRowsNf4Shorts(const Nf4Product& product, int64_t x_rows) {
  using Function = void (*)(const Nf4Product&);
  static constexpr Function kByRows[kMaxDotRows] = {DotRows16<1>, DotRows16<2>, DotRows16<3>,
                                                    DotRows16<4>, DotRows16<5>, DotRows16<6>,
                                                    DotRows16<7>, DotRows16<8>};
  kByRows[x_rows - 1](product);
}

// Bytes of one row that Arrange16 writes.
int64_t RowBytes16(int64_t blocks) {
#if HWY_TARGET == HWY_SCALAR
  return blocks * kNf4Block * 2;
#else
  return (blocks * kBlockBytes + kBytes - 1) / kBytes * kBytes * 4;
#endif
}

// Rows that begin or end inside a block: unpacked a piece at a time.
void DotUnalignedRowsNf4(const Weight& weight, int64_t first, int64_t last, const float* x,
                         int64_t x_stride, int64_t rows, bool add, float* y, int64_t y_stride) {
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

void UnpackColumnsNf4(const Weight& weight, int64_t row, int64_t first, int64_t count,
                      float* values) {
  const auto* packed = static_cast<const uint8_t*>(weight.data);
  const int64_t begin = row * weight.in + first;
  int64_t done = 0;
  if (begin % kNf4Block == 0) {
    const Levels levels(weight.nf4.map);
    float magnitudes[kNf4Magnitudes];
    while (done + kNf4Block <= count) {
      const int64_t blocks = std::min(kNf4Magnitudes, (count - done) / kNf4Block);
      Magnitudes(weight.nf4, (begin + done) / kNf4Block, blocks, magnitudes);
      for (int64_t b = 0; b < blocks; ++b, done += kNf4Block)
        for (int64_t i = 0; i < kNf4Block; i += kLanes)
          hn::StoreU(hn::Mul(levels.Load(packed, begin + done + i), hn::Set(kTag, magnitudes[b])),
                     kTag, values + done + i);
    }
  }
  UnpackNf4(packed, weight.nf4, begin + done, count - done, values + done);
}

}  // namespace bagel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bagel {

HWY_EXPORT(Arrange16);
HWY_EXPORT(DotRowsNf4Shorts);
HWY_EXPORT(DotUnalignedRowsNf4);
HWY_EXPORT(Magnitudes);
HWY_EXPORT(QuantizeBlocks);
HWY_EXPORT(RowBytes16);
HWY_EXPORT(UnpackColumnsNf4);

void PackNf4Activations(const Weight& weight, const float* x, int64_t x_stride, int64_t rows,
                        bool bytes, Nf4Activations& packed) {
  CHECK(rows >= 1 && rows <= kMaxDotRows && IsNf4Width(weight.in));
  const int64_t blocks = weight.in / kNf4Block;
  packed.weight = &weight;
  if (bytes) packed.tables = MakeNf4ByteTables(weight.nf4);
  packed.bytes = bytes;
  packed.rows = rows;
  packed.blocks = blocks;
  packed.row_bytes = bytes ? Nf4ByteRowBytes(blocks) : HWY_DYNAMIC_DISPATCH(RowBytes16)(blocks);
  auto* integers = packed.integers.Get<uint8_t>(rows * packed.row_bytes);
  auto* scales = packed.scales.Get<float>(rows * kNf4Magnitudes);
  std::fill(scales, scales + rows * kNf4Magnitudes, 0.0f);
  auto* q = packed.rounded.Get<int16_t>(weight.in);
  for (int64_t row = 0; row < rows; ++row) {
    HWY_DYNAMIC_DISPATCH(QuantizeBlocks)
    (x + row * x_stride, blocks, bytes ? kNf4ByteLimit : kNf4ShortLimit, q,
     scales + row * kNf4Magnitudes);
    uint8_t* to = integers + row * packed.row_bytes;
    if (bytes) {
      ArrangeNf4Bytes(q, blocks, to);
    } else {
      HWY_DYNAMIC_DISPATCH(Arrange16)(q, blocks, reinterpret_cast<int16_t*>(to));
    }
  }
}

void DotRowsNf4(int64_t first, int64_t last, Nf4Activations& x, bool add, float* y,
                int64_t y_stride) {
  const Nf4Scales& nf4 = x.weight->nf4;
  alignas(64) float magnitudes[kNf4Magnitudes + 64] = {};
  const int64_t rows = kNf4Magnitudes / x.blocks;
  Nf4Product product{*x.weight,
                     first,
                     first,
                     magnitudes,
                     x.integers.Get<uint8_t>(x.rows * x.row_bytes),
                     x.row_bytes,
                     x.scales.Get<float>(x.rows * kNf4Magnitudes),
                     add,
                     y,
                     y_stride};
  for (int64_t n = first; n < last; n += rows) {
    product.first = n;
    product.last = std::min(last, n + rows);
    const int64_t block = n * x.blocks, count = (product.last - n) * x.blocks;
    if (x.bytes && nf4.codes != nullptr) {
      Nf4ByteMagnitudes(nf4, x.tables, block, count, magnitudes);
    } else {
      HWY_DYNAMIC_DISPATCH(Magnitudes)(nf4, block, count, magnitudes);
    }
    if (x.bytes) {
      DotRowsNf4Bytes(product, x.tables, x.rows);
    } else {
      HWY_DYNAMIC_DISPATCH(DotRowsNf4Shorts)(product, x.rows);
    }
  }
}

void DotUnalignedRowsNf4(const Weight& weight, int64_t first, int64_t last, const float* x,
                         int64_t x_stride, int64_t rows, bool add, float* y, int64_t y_stride) {
  HWY_DYNAMIC_DISPATCH(DotUnalignedRowsNf4)
  (weight, first, last, x, x_stride, rows, add, y, y_stride);
}

void UnpackColumnsNf4(const Weight& weight, int64_t row, int64_t first, int64_t count,
                      float* values) {
  HWY_DYNAMIC_DISPATCH(UnpackColumnsNf4)(weight, row, first, count, values);
}

}  // namespace bagel
#endif  // HWY_ONCE
