// 8-bit products with NF4 weights by AVX-512 VNNI and VBMI, which Highway 1.0.3 does not offer.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "cpu/nf4_kernels.h"
#include "cpu/weights.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bagel {

#if defined(__x86_64__)
namespace {

#define BAGEL_TARGET \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi")))

constexpr int64_t kBytes = 64;              // packed weights of a step: two blocks
constexpr int64_t kValues = 2 * kBytes;     // weights of a step
constexpr int64_t kStepBytes = 3 * kBytes;  // activations of a step, and their correction
constexpr int32_t kZeroLevel = 128;

int64_t Steps(int64_t blocks) { return (blocks + 1) / 2; }

template <int kXRows>
BAGEL_TARGET void DotRows8(const Nf4Product& p, const Nf4ByteTables& tables) {
  const Weight& weight = p.weight;
  const __m512i table = _mm512_load_si512(tables.levels);
  const int64_t blocks = weight.in / kNf4Block;
  alignas(64) float scales[kXRows * kNf4Magnitudes];
  for (int64_t n = p.first; n < p.last; ++n) {
    const float* magnitudes = p.magnitudes + (n - p.first) * blocks;
    for (int64_t m = 0; m < kXRows * kNf4Magnitudes; m += kNf4Magnitudes) {
      for (int64_t b = 0; b < blocks; b += 16)
        _mm512_store_ps(scales + m + b, _mm512_mul_ps(_mm512_loadu_ps(magnitudes + b),
                                                      _mm512_load_ps(p.x_scales + m + b)));
    }
    const uint8_t* packed = static_cast<const uint8_t*>(weight.data) + n * weight.in / 2;
    const uint8_t* x = p.x;
    __m512 totals[kXRows];
    for (int m = 0; m < kXRows; ++m) totals[m] = _mm512_setzero_ps();
    for (int64_t b = 0; b < blocks; b += 2, packed += kBytes, x += kStepBytes) {
      PrefetchNf4(packed);
      // Activations and scales beyond the end are zeros.
      const __m512i nibbles = _mm512_maskz_loadu_epi64(b + 1 < blocks ? 0xFF : 0x0F, packed);
      const __m512i odd = _mm512_permutexvar_epi8(nibbles, table);
      const __m512i even = _mm512_permutexvar_epi8(_mm512_srli_epi16(nibbles, 4), table);
      for (int m = 0; m < kXRows; ++m) {
        const uint8_t* values = x + m * p.x_row_bytes;
        __m512i sum = _mm512_load_si512(values + 2 * kBytes);
        sum = _mm512_dpbusd_epi32(sum, even, _mm512_load_si512(values));
        sum = _mm512_dpbusd_epi32(sum, odd, _mm512_load_si512(values + kBytes));
        const float* scale = scales + m * kNf4Magnitudes + b;
        const __m512 lanes =
            _mm512_mask_broadcastss_ps(_mm512_set1_ps(scale[0]), 0xFF00, _mm_load_ss(scale + 1));
        totals[m] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), lanes, totals[m]);
      }
    }
    const float bias = weight.bias ? weight.bias[n] : 0.0f;
    for (int m = 0; m < kXRows; ++m) {
      float& out = p.y[m * p.y_stride + n];
      out = _mm512_reduce_add_ps(totals[m]) / static_cast<float>(kNf4ByteLevel) + bias +
            (p.add ? out : 0.0f);
    }
  }
}

BAGEL_TARGET void Magnitudes(const Nf4Scales& scales, const Nf4ByteTables& tables, int64_t first,
                             int64_t count, float* out) {
  const __m512i table[4] = {_mm512_load_si512(tables.nested), _mm512_load_si512(tables.nested + 64),
                            _mm512_load_si512(tables.nested + 128),
                            _mm512_load_si512(tables.nested + 192)};
  const __m512 offset = _mm512_set1_ps(scales.nested_offset);
  for (int64_t i = 0; i < count;) {
    const int64_t nested = (first + i) / kNf4NestedBlock;
    const int64_t end = std::min(count, (nested + 1) * kNf4NestedBlock - first);
    const __m512 step =
        _mm512_set1_ps(scales.nested_absmax[nested] / static_cast<float>(kNf4ByteLevel));
    for (; i < end; i += 64) {
      const uint8_t* at = scales.codes + first + i;
      __builtin_prefetch(at + 2 * kNf4Magnitudes);
      const __mmask64 mask = i + 64 <= end ? ~0ull : (1ull << (end - i)) - 1;
      const __m512i codes = _mm512_maskz_loadu_epi8(mask, at);
      alignas(64) int8_t levels[64];
      _mm512_store_si512(
          levels, _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes),
                                         _mm512_permutex2var_epi8(table[0], codes, table[1]),
                                         _mm512_permutex2var_epi8(table[2], codes, table[3])));
      for (int64_t j = 0; j < 64; j += 16) {
        const __m512i level =
            _mm512_cvtepi8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(levels + j)));
        _mm512_storeu_ps(out + i + j, _mm512_fmadd_ps(_mm512_cvtepi32_ps(level), step, offset));
      }
    }
    i = end;
  }
}

}  // namespace

Nf4ByteTables MakeNf4ByteTables(const Nf4Scales& scales) {
  Nf4ByteTables tables{};
  for (int i = 0; i < 16; ++i) {
    const auto level = static_cast<uint8_t>(
        std::lrint(scales.map[i] * static_cast<float>(kNf4ByteLevel)) + kZeroLevel);
    // VPERMB looks at six bits, of which the upper two belong to another nibble.
    for (int copy = 0; copy < 64; copy += 16) tables.levels[copy + i] = level;
  }
  if (scales.codes == nullptr) return tables;
  for (int i = 0; i < 256; ++i)
    tables.nested[i] =
        static_cast<int8_t>(std::lrint(scales.nested_map[i] * static_cast<float>(kNf4ByteLevel)));
  return tables;
}

void Nf4ByteMagnitudes(const Nf4Scales& scales, const Nf4ByteTables& tables, int64_t first,
                       int64_t count, float* out) {
  Magnitudes(scales, tables, first, count, out);
}

bool HasNf4Bytes() {
  static const bool has = __builtin_cpu_supports("avx512vnni") &&
                          __builtin_cpu_supports("avx512vbmi") &&
                          __builtin_cpu_supports("avx512dq");
  return has;
}

int64_t Nf4ByteRowBytes(int64_t blocks) { return Steps(blocks) * kStepBytes; }

void ArrangeNf4Bytes(const int16_t* q, int64_t blocks, uint8_t* row) {
  for (int64_t step = 0; step < Steps(blocks); ++step, row += kStepBytes) {
    auto* values = reinterpret_cast<int8_t*>(row);
    const int64_t count = std::min(kValues, blocks * kNf4Block - step * kValues);
    std::fill(values, values + kValues, int8_t{0});
    for (int64_t i = 0; i < count; ++i)
      values[i % 2 * kBytes + i / 2] = static_cast<int8_t>(q[step * kValues + i]);
    // Takes the level of zero off the sums: each lane adds four bytes of either half.
    auto* correction = reinterpret_cast<int32_t*>(row + 2 * kBytes);
    for (int64_t lane = 0; lane < kBytes / 4; ++lane) {
      int32_t sum = 0;
      for (int64_t i = 4 * lane; i < 4 * lane + 4; ++i) sum += values[i] + values[kBytes + i];
      correction[lane] = -kZeroLevel * sum;
    }
  }
}

void DotRowsNf4Bytes(const Nf4Product& product, const Nf4ByteTables& tables, int64_t x_rows) {
  using Function = void (*)(const Nf4Product&, const Nf4ByteTables&);
  static constexpr Function kByRows[kMaxDotRows] = {DotRows8<1>, DotRows8<2>, DotRows8<3>,
                                                    DotRows8<4>, DotRows8<5>, DotRows8<6>,
                                                    DotRows8<7>, DotRows8<8>};
  kByRows[x_rows - 1](product, tables);
}

#else

bool HasNf4Bytes() { return false; }
int64_t Nf4ByteRowBytes(int64_t) { CHECK(false); }
void ArrangeNf4Bytes(const int16_t*, int64_t, uint8_t*) { CHECK(false); }
void DotRowsNf4Bytes(const Nf4Product&, const Nf4ByteTables&, int64_t) { CHECK(false); }
Nf4ByteTables MakeNf4ByteTables(const Nf4Scales&) { CHECK(false); }
void Nf4ByteMagnitudes(const Nf4Scales&, const Nf4ByteTables&, int64_t, int64_t, float*) {
  CHECK(false);
}

#endif

}  // namespace bagel
