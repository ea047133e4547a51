// The products everything large is made of: rows times packed columns.
//
// Linear layers and attention both compute C[n][m] = sum_k W[n][k] X[m][k] with W taken row by row
// as it lies and X packed once into groups of 32 columns, so that a vector holds 32 (or 16, 8, 4)
// different m and nothing is ever summed across lanes.
#ifndef BAGEL_CPU_TILE_H_
#define BAGEL_CPU_TILE_H_

#include <cstdint>

namespace bagel {

// Columns of one packed group.
inline constexpr int64_t kGroup = 32;

// Packs up to 32 rows of x, `count` of them there, into [k][32]: packed[k][m] = x[m * stride + k];
// columns past `count` are 0.
void PackGroupF32(const float* x, int64_t stride, int64_t count, int64_t k, float* packed);

// c[n][0..32) (+)= sum_k w[n * row_stride + k * k_stride] * packed[k][0..32), f32 throughout.
// c has `c_stride` floats a row.
void MultiplyF32(const float* w, int64_t row_stride, int64_t k_stride, int64_t n, int64_t k,
                 const float* packed, float* c, int64_t c_stride, bool accumulate);

// y[m * y_stride + n] (+)= c[n][m] (+ bias[n]) for m < rows, n < n_count; c has `c_stride` floats a
// row. bias may be null.
void TransposeOut(const float* c, int64_t c_stride, int64_t n_count, int64_t rows,
                  const float* bias, bool add, float* y, int64_t y_stride);

// The whole 16 x 16 blocks of TransposeOut; false where the processor has no instructions for them.
bool TransposeOutBlocks(const float* c, int64_t c_stride, int64_t n_count, int64_t rows,
                        const float* bias, bool add, float* y, int64_t y_stride);

// bf16 products with f32 sums, for processors that have AMX or AVX512-BF16.
bool HasBF16Products();
const char* BF16ProductsName();  // "amx", "avx512-bf16", "none"
// k, rounded up to what the bf16 kernels take; the padding of rows and packed groups is zero.
constexpr int64_t PadKBF16(int64_t k) { return (k + 31) / 32 * 32; }

// As PackGroupF32, into bf16 pairs [PadKBF16(k) / 2][32][2].
void PackGroupBF16(const float* x, int64_t stride, int64_t count, int64_t k, uint16_t* packed);

// Rows of bf16 values as MultiplyBF16 reads them: value (n, k) lies at
// data[n / 16 * group_stride + n % 16 * row_stride + k / 32 * block_stride + k % 32].
struct RowsBF16 {
  const uint16_t* data = nullptr;
  int64_t row_stride = 0;
  int64_t block_stride = 32;
  int64_t group_stride = 0;

  // Rows one after the other, as a matrix is stored.
  static RowsBF16 Plain(const uint16_t* data, int64_t row_stride) {
    return {data, row_stride, 32, 16 * row_stride};
  }
  // Tiles of 16 x 32 one after the other, k a multiple of 32: read from few pages, and without the
  // conflicts in the caches that rows have whose distance is near a power of two.
  static RowsBF16 Tiled(const uint16_t* data, int64_t k) { return {data, 32, 512, 16 * k}; }

  int64_t Offset(int64_t n, int64_t k) const {
    return n / 16 * group_stride + n % 16 * row_stride + k / 32 * block_stride + k % 32;
  }
};

// c[n][0..32) (+)= sum_k w(n, k) * packed[k], w and packed bf16, k a multiple of 32.
void MultiplyBF16(const RowsBF16& w, int64_t n, int64_t k, const uint16_t* packed, float* c,
                  int64_t c_stride, bool accumulate);

// rows [k][32] f32, k even -> bf16 pairs [k / 2][32][2]: sums of one product as columns of the
// next.
void PackPairsBF16(const float* rows, int64_t k, uint16_t* packed);

// Round to nearest even; in and out do not overlap.
void ConvertToBF16(const float* in, int64_t count, uint16_t* out);

// The two kinds of products, by element type.
inline int64_t PadK(float, int64_t k) { return k; }
inline int64_t PadK(uint16_t, int64_t k) { return PadKBF16(k); }

inline void PackGroup(const float* x, int64_t stride, int64_t count, int64_t k, float* packed) {
  PackGroupF32(x, stride, count, k, packed);
}
inline void PackGroup(const float* x, int64_t stride, int64_t count, int64_t k, uint16_t* packed) {
  PackGroupBF16(x, stride, count, k, packed);
}

// Rows that MultiplyRows reads: RowsBF16::Tiled in bf16; in f32 one after the other, a cache line
// apart, since rows whose distance is near a power of two share few sets of the first-level cache.
constexpr int64_t RowStrideF32(int64_t k) { return k + 16; }
// Elements of n rows, where row n begins if it is a multiple of 16.
constexpr int64_t RowsSize(float, int64_t n, int64_t k) { return n * RowStrideF32(k); }
constexpr int64_t RowsSize(uint16_t, int64_t n, int64_t k) { return (n + 15) / 16 * 16 * k; }

// c is overwritten.
inline void MultiplyRows(const float* w, int64_t n, int64_t k, const float* packed, float* c,
                         int64_t c_stride) {
  MultiplyF32(w, RowStrideF32(k), 1, n, k, packed, c, c_stride, false);
}
inline void MultiplyRows(const uint16_t* w, int64_t n, int64_t k, const uint16_t* packed, float* c,
                         int64_t c_stride) {
  MultiplyBF16(RowsBF16::Tiled(w, k), n, k, packed, c, c_stride, false);
}

}  // namespace bagel

#endif  // BAGEL_CPU_TILE_H_
