// 8-bit products with NF4 weights by AVX-512 VNNI and VBMI, which Highway 1.0.3 does not offer.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "cpu/nf4_kernels.h"
#include "cpu/weights.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
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
BAGEL_TARGET void DotRows8(const Weight& weight, int64_t first, int64_t last, const uint8_t* x,
                           int64_t x_row_bytes, const float* x_scales, bool add, float* y,
                           int64_t y_stride) {
  // VPERMB looks at six bits, of which the upper two belong to another nibble.
  alignas(64) std::array<uint8_t, 64> levels;
  for (size_t i = 0; i < levels.size(); ++i) {
    const float level = weight.nf4.map[i % 16] * static_cast<float>(kNf4ByteLevel);
    levels[i] = static_cast<uint8_t>(std::lround(level) + kZeroLevel);
  }
  const __m512i table = _mm512_load_si512(levels.data());
  const int64_t blocks = weight.in / kNf4Block;
  alignas(64) float scales[kXRows * kNf4Piece];
  for (int64_t n = first; n < last; ++n) {
    const uint8_t* packed = static_cast<const uint8_t*>(weight.data) + n * weight.in / 2;
    __m512 totals[kXRows];
    for (int m = 0; m < kXRows; ++m) totals[m] = _mm512_setzero_ps();
    for (int64_t piece = 0; piece < blocks; piece += kNf4Piece) {
      const int64_t count = std::min(kNf4Piece, blocks - piece);
      Nf4ProductScales(weight.nf4, n * blocks + piece, x_scales + piece, kXRows, blocks, count,
                       scales);
      for (int64_t b = 0; b < count; b += 2) {
        const uint8_t* bytes = packed + (piece + b) * (kNf4Block / 2);
        _mm_prefetch(bytes + kNf4Prefetch, _MM_HINT_T0);
        __m512i nibbles;
        if (b + 1 < count) {
          nibbles = _mm512_loadu_si512(bytes);
        } else {
          // Activations beyond the end are zeros.
          nibbles =
              _mm512_zextsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes)));
          for (int m = 0; m < kXRows; ++m) scales[m * kNf4Piece + b + 1] = 0;
        }
        const __m512i odd = _mm512_permutexvar_epi8(nibbles, table);
        const __m512i even = _mm512_permutexvar_epi8(_mm512_srli_epi16(nibbles, 4), table);
        for (int m = 0; m < kXRows; ++m) {
          const uint8_t* values = x + m * x_row_bytes + (piece + b) / 2 * kStepBytes;
          __m512i sum = _mm512_load_si512(values + 2 * kBytes);
          sum = _mm512_dpbusd_epi32(sum, even, _mm512_load_si512(values));
          sum = _mm512_dpbusd_epi32(sum, odd, _mm512_load_si512(values + kBytes));
          const float* scale = scales + m * kNf4Piece + b;
          const __m512 lanes =
              _mm512_mask_broadcastss_ps(_mm512_set1_ps(scale[0]), 0xFF00, _mm_load_ss(scale + 1));
          totals[m] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), lanes, totals[m]);
        }
      }
    }
    const float bias = weight.bias ? weight.bias[n] : 0.0f;
    for (int m = 0; m < kXRows; ++m) {
      float& out = y[m * y_stride + n];
      out = _mm512_reduce_add_ps(totals[m]) / static_cast<float>(kNf4ByteLevel) + bias +
            (add ? out : 0.0f);
    }
  }
}

}  // namespace

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

void DotRowsNf4Bytes(const Weight& weight, int64_t first, int64_t last, const uint8_t* x,
                     int64_t x_row_bytes, const float* x_scales, int64_t x_rows, bool add, float* y,
                     int64_t y_stride) {
  using Function = void (*)(const Weight&, int64_t, int64_t, const uint8_t*, int64_t, const float*,
                            bool, float*, int64_t);
  static constexpr Function kByRows[kMaxDotRows] = {DotRows8<1>, DotRows8<2>, DotRows8<3>,
                                                    DotRows8<4>, DotRows8<5>, DotRows8<6>,
                                                    DotRows8<7>, DotRows8<8>};
  kByRows[x_rows - 1](weight, first, last, x, x_row_bytes, x_scales, add, y, y_stride);
}

#else

bool HasNf4Bytes() { return false; }
int64_t Nf4ByteRowBytes(int64_t) { CHECK(false); }
void ArrangeNf4Bytes(const int16_t*, int64_t, uint8_t*) { CHECK(false); }
void DotRowsNf4Bytes(const Weight&, int64_t, int64_t, const uint8_t*, int64_t, const float*,
                     int64_t, bool, float*, int64_t) {
  CHECK(false);
}

#endif

}  // namespace bagel
