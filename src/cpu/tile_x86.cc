// What Highway 1.0 has no words for, in x86 intrinsics: products of bf16 values with f32 sums (AMX
// tiles where there are some, else the AVX512-BF16 dot product of pairs), and turning 16 x 16
// blocks.
#include "cpu/tile.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "quant/half.h"

namespace bagel {
namespace {

#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define TARGET_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define TARGET_AMX __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,amx-tile,amx-bf16")))

enum class Products { kNone, kAvx512, kAmx };

// Linux hands out the tile registers per process and on request only.
bool AskForTiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool FindAvx512() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq");
}

bool HasAvx512() {
  static const bool has = FindAvx512();
  return has;
}

Products FindProducts() {
  if (!HasAvx512() || !__builtin_cpu_supports("avx512bf16")) return Products::kNone;
  unsigned eax = 7, ebx = 0, ecx = 0, edx = 0;
  __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  const bool amx = (edx >> 22 & 1) != 0 && (edx >> 24 & 1) != 0;  // AMX-BF16, AMX-TILE
  return amx && AskForTiles() ? Products::kAmx : Products::kAvx512;
}

Products GetProducts() {
  static const Products products = FindProducts();
  return products;
}

// Rows of 32-bit elements -> columns: out[j] holds element j of every in[i].
TARGET_AVX512 inline void Transpose16x16(__m512i rows[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    rows[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xDD);
    t[i + 8] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0xDD);
  }
  for (int i = 0; i < 8; ++i) {
    rows[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    rows[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xDD);
  }
}

// Rows of w multiplied at once: half a tile of RowsBF16::Tiled.
constexpr int kDotRows = 8;
// Packed columns of one block stay in the first-level cache while all rows of w pass by.
constexpr int64_t kDotKBlock = 256;

// kRowCount rows of one tile that lie kRowStride values apart, 0 where only the caller knows.
template <int kRowCount, int64_t kRowStride>
TARGET_BF16 inline void DotRows(const uint16_t* w, int64_t row_stride, int64_t block_stride,
                                int64_t k, const uint16_t* packed, float* c, int64_t c_stride,
                                bool accumulate) {
  const int64_t distance = kRowStride == 0 ? row_stride : kRowStride;
  __m512 sums[kRowCount][2];
  for (int r = 0; r < kRowCount; ++r) {
    for (int v = 0; v < 2; ++v)
      sums[r][v] = accumulate ? _mm512_loadu_ps(c + r * c_stride + v * 16) : _mm512_setzero_ps();
  }
  for (int64_t block = 0; block < k; block += 32, w += block_stride) {
    for (int64_t i = 0; i < 32; i += 2, packed += 2 * kGroup) {
      const auto x0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(packed));
      const auto x1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(packed + kGroup));
      for (int r = 0; r < kRowCount; ++r) {
        int32_t two;
        __builtin_memcpy(&two, w + r * distance + i, sizeof(two));
        const auto factor = reinterpret_cast<__m512bh>(_mm512_set1_epi32(two));
        sums[r][0] = _mm512_dpbf16_ps(sums[r][0], factor, x0);
        sums[r][1] = _mm512_dpbf16_ps(sums[r][1], factor, x1);
      }
    }
  }
  for (int r = 0; r < kRowCount; ++r) {
    for (int v = 0; v < 2; ++v) _mm512_storeu_ps(c + r * c_stride + v * 16, sums[r][v]);
  }
}

template <int64_t kRowStride>
TARGET_BF16 void MultiplyRowsAvx512(const RowsBF16& w, int64_t first, int64_t n, int64_t k,
                                    const uint16_t* packed, float* c, int64_t c_stride,
                                    bool accumulate) {
  for (int64_t begin = 0; begin < k; begin += kDotKBlock) {
    const int64_t count = std::min(kDotKBlock, k - begin);
    const uint16_t* columns = packed + begin * kGroup;
    const bool add = accumulate || begin > 0;
    int64_t row = first;
    for (; row + kDotRows <= n; row += kDotRows)
      DotRows<kDotRows, kRowStride>(w.data + w.Offset(row, begin), w.row_stride, w.block_stride,
                                    count, columns, c + row * c_stride, c_stride, add);
    for (; row < n; ++row)
      DotRows<1, kRowStride>(w.data + w.Offset(row, begin), w.row_stride, w.block_stride, count,
                             columns, c + row * c_stride, c_stride, add);
  }
}

// `first` is a multiple of 8. Tiles and rows of 128 values, which is what most products read, have
// their own code, in which the rows' addresses are constants.
TARGET_BF16 void MultiplyAvx512(const RowsBF16& w, int64_t first, int64_t n, int64_t k,
                                const uint16_t* packed, float* c, int64_t c_stride,
                                bool accumulate) {
  if (w.row_stride == 32)
    MultiplyRowsAvx512<32>(w, first, n, k, packed, c, c_stride, accumulate);
  else if (w.row_stride == 128)
    MultiplyRowsAvx512<128>(w, first, n, k, packed, c, c_stride, accumulate);
  else
    MultiplyRowsAvx512<0>(w, first, n, k, packed, c, c_stride, accumulate);
}

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

TARGET_AMX void ConfigureTiles() {
  TileConfig config;
  for (int i = 0; i < 8; ++i) {
    config.row_bytes[i] = 64;
    config.rows[i] = 16;
  }
  _tile_loadconfig(&config);
}

// Sums of 32 rows in tiles 0..3 (two by two), of 16 rows in tiles 0 and 1.
template <int kTileRows>
TARGET_AMX inline void TileRows(const RowsBF16& w, int64_t first, int64_t k, const uint16_t* packed,
                                float* c, int64_t c_stride, bool accumulate) {
  const uint16_t* upper_rows = w.data + w.Offset(first, 0);
  const uint16_t* lower_rows = upper_rows + w.group_stride;
  const auto w_bytes = static_cast<size_t>(w.row_stride) * 2;
  const auto c_bytes = static_cast<size_t>(c_stride) * 4;
  constexpr size_t kPackedBytes = kGroup * 4;
  float* lower = c + 16 * c_stride;
  if (accumulate) {
    _tile_loadd(0, c, c_bytes);
    _tile_loadd(1, c + 16, c_bytes);
    if constexpr (kTileRows == 2) {
      _tile_loadd(2, lower, c_bytes);
      _tile_loadd(3, lower + 16, c_bytes);
    }
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t i = 0; i < k; i += 32) {
    _tile_loadd(4, upper_rows, w_bytes);
    _tile_loadd(6, packed + i * kGroup, kPackedBytes);
    _tile_loadd(7, packed + i * kGroup + 32, kPackedBytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if constexpr (kTileRows == 2) {
      _tile_loadd(5, lower_rows, w_bytes);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    upper_rows += w.block_stride;
    lower_rows += w.block_stride;
  }
  _tile_stored(0, c, c_bytes);
  _tile_stored(1, c + 16, c_bytes);
  if constexpr (kTileRows == 2) {
    _tile_stored(2, lower, c_bytes);
    _tile_stored(3, lower + 16, c_bytes);
  }
}

TARGET_AMX void MultiplyAmx(const RowsBF16& w, int64_t n, int64_t k, const uint16_t* packed,
                            float* c, int64_t c_stride, bool accumulate) {
  ConfigureTiles();
  int64_t row = 0;
  for (; row + 32 <= n; row += 32)
    TileRows<2>(w, row, k, packed, c + row * c_stride, c_stride, accumulate);
  for (; row + 16 <= n; row += 16)
    TileRows<1>(w, row, k, packed, c + row * c_stride, c_stride, accumulate);
  _tile_release();
  if (row < n) MultiplyAvx512(w, row, n, k, packed, c, c_stride, accumulate);
}

TARGET_BF16 __m512i LoadPairs(const float* x) {
  return reinterpret_cast<__m512i>(
      _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + 16), _mm512_loadu_ps(x)));
}

TARGET_BF16 void PackAvx512(const float* x, int64_t stride, int64_t count, int64_t k,
                            uint16_t* packed) {
  for (int64_t first = 0; first < k; first += 32) {
    const int64_t there = std::min<int64_t>(32, k - first);
    for (int64_t half = 0; half < 2; ++half) {
      __m512i rows[16];
      for (int64_t i = 0; i < 16; ++i) {
        const int64_t m = half * 16 + i;
        if (m >= count) {
          rows[i] = _mm512_setzero_si512();
        } else if (there == 32) {
          rows[i] = LoadPairs(x + m * stride + first);
        } else {
          float padded[32] = {};
          std::copy_n(x + m * stride + first, there, padded);
          rows[i] = LoadPairs(padded);
        }
      }
      Transpose16x16(rows);
      for (int64_t pair = 0; pair < 16; ++pair)
        _mm512_storeu_si512(packed + (first / 2 + pair) * 2 * kGroup + half * 32, rows[pair]);
    }
  }
}

TARGET_BF16 void PackPairsAvx512(const float* rows, int64_t k, uint16_t* packed) {
  // Lane 2 i of the result is value i of the first row, lane 2 i + 1 value i of the second.
  alignas(64) uint16_t order[32];
  for (uint16_t i = 0; i < 16; ++i) {
    order[2 * i] = i;
    order[2 * i + 1] = static_cast<uint16_t>(i + 16);
  }
  const __m512i interleave = _mm512_load_si512(order);
  for (int64_t i = 0; i < k; i += 2, rows += 2 * kGroup, packed += 2 * kGroup) {
    for (int64_t half = 0; half < kGroup; half += 16) {
      const __m512 first = _mm512_loadu_ps(rows + half);
      const __m512 second = _mm512_loadu_ps(rows + kGroup + half);
      const auto both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first));
      _mm512_storeu_si512(packed + 2 * half, _mm512_permutexvar_epi16(interleave, both));
    }
  }
}

// y[m][n] (+)= c[n][m] + bias[n] for 16 n and 16 m.
TARGET_AVX512 void TransposeBlock(const float* c, int64_t c_stride, const float* bias, bool add,
                                  float* y, int64_t y_stride) {
  __m512i rows[16];
  for (int64_t n = 0; n < 16; ++n) rows[n] = _mm512_loadu_si512(c + n * c_stride);
  Transpose16x16(rows);
  const __m512 offset = bias ? _mm512_loadu_ps(bias) : _mm512_setzero_ps();
  for (int64_t m = 0; m < 16; ++m) {
    float* out = y + m * y_stride;
    __m512 sum = _mm512_add_ps(_mm512_castsi512_ps(rows[m]), offset);
    if (add) sum = _mm512_add_ps(sum, _mm512_loadu_ps(out));
    _mm512_storeu_ps(out, sum);
  }
}

TARGET_BF16 void ConvertAvx512(const float* in, int64_t count, uint16_t* out) {
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) _mm512_storeu_si512(out + i, LoadPairs(in + i));
  for (; i < count; ++i) out[i] = F32ToBF16(in[i]);
}

}  // namespace

bool TransposeOutBlocks(const float* c, int64_t c_stride, int64_t n_count, int64_t rows,
                        const float* bias, bool add, float* y, int64_t y_stride) {
  if (!HasAvx512()) return false;
  for (int64_t m = 0; m + 16 <= rows; m += 16) {
    for (int64_t n = 0; n + 16 <= n_count; n += 16)
      TransposeBlock(c + n * c_stride + m, c_stride, bias ? bias + n : nullptr, add,
                     y + m * y_stride + n, y_stride);
  }
  return true;
}

bool HasBF16Products() { return GetProducts() != Products::kNone; }

const char* BF16ProductsName() {
  switch (GetProducts()) {
    case Products::kAmx:
      return "amx";
    case Products::kAvx512:
      return "avx512-bf16";
    case Products::kNone:
      return "none";
  }
  return "none";
}

void PackGroupBF16(const float* x, int64_t stride, int64_t count, int64_t k, uint16_t* packed) {
  CHECK(HasBF16Products());
  PackAvx512(x, stride, count, k, packed);
}

void MultiplyBF16(const RowsBF16& w, int64_t n, int64_t k, const uint16_t* packed, float* c,
                  int64_t c_stride, bool accumulate) {
  CHECK(k % 32 == 0);
  if (GetProducts() == Products::kAmx)
    MultiplyAmx(w, n, k, packed, c, c_stride, accumulate);
  else
    MultiplyAvx512(w, 0, n, k, packed, c, c_stride, accumulate);
}

void PackPairsBF16(const float* rows, int64_t k, uint16_t* packed) {
  CHECK(HasBF16Products() && k % 2 == 0);
  PackPairsAvx512(rows, k, packed);
}

void ConvertToBF16(const float* in, int64_t count, uint16_t* out) {
  if (HasBF16Products()) return ConvertAvx512(in, count, out);
  for (int64_t i = 0; i < count; ++i) out[i] = F32ToBF16(in[i]);
}

}  // namespace bagel

#else  // other processors

#include "base/error.h"
#include "quant/half.h"

namespace bagel {

bool TransposeOutBlocks(const float*, int64_t, int64_t, int64_t, const float*, bool, float*,
                        int64_t) {
  return false;
}
bool HasBF16Products() { return false; }
const char* BF16ProductsName() { return "none"; }
void PackGroupBF16(const float*, int64_t, int64_t, int64_t, uint16_t*) { CHECK(false); }
void MultiplyBF16(const RowsBF16&, int64_t, int64_t, const uint16_t*, float*, int64_t, bool) {
  CHECK(false);
}
void PackPairsBF16(const float*, int64_t, uint16_t*) { CHECK(false); }
void ConvertToBF16(const float* in, int64_t count, uint16_t* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = F32ToBF16(in[i]);
}

}  // namespace bagel

#endif
