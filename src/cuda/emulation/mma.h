// WMMA of the emulation: lane 0 holds the whole matrix and does all the work, so that it sees only
// what others stored before a barrier. Elements of accumulators are visited by every lane.
#ifndef BAGEL_CUDA_EMULATION_MMA_H_
#define BAGEL_CUDA_EMULATION_MMA_H_

// The names are CUDA's.
// NOLINTBEGIN

#include <cuda_fp16.h>

namespace nvcuda::wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };

inline bool Leads() { return emulation::Self() % 32 == 0; }

// [rows][columns], row by row, whatever the layout in memory.
template <typename Use, int M, int N, int K, typename T, typename Layout = void>
struct fragment {
  static constexpr int kRows = std::is_same_v<Use, matrix_b> ? K : M;
  static constexpr int kCols = std::is_same_v<Use, matrix_a> ? K : N;
  static constexpr int num_elements = kRows * kCols;
  T x[num_elements] = {};
};

template <typename Use, int M, int N, int K, typename T, typename Layout>
void fill_fragment(fragment<Use, M, N, K, T, Layout>& f, T value) {
  for (T& x : f.x) x = value;
}

template <typename F, typename T>
void CopyIn(F& f, const T* from, unsigned stride, bool by_rows) {
  for (unsigned r = 0; r < F::kRows; ++r)
    for (unsigned c = 0; c < F::kCols; ++c)
      f.x[r * F::kCols + c] = by_rows ? from[r * stride + c] : from[c * stride + r];
}

inline void CheckAddress(const void* data, size_t stride_bytes) {
  if (reinterpret_cast<uintptr_t>(data) % 32 != 0 || stride_bytes % 16 != 0) __builtin_trap();
}

template <typename Use, int M, int N, int K, typename T, typename Layout>
void load_matrix_sync(fragment<Use, M, N, K, T, Layout>& f, const T* from, unsigned stride) {
  CheckAddress(from, stride * sizeof(T));
  if (Leads()) CopyIn(f, from, stride, std::is_same_v<Layout, row_major>);
}
template <int M, int N, int K, typename T>
void load_matrix_sync(fragment<accumulator, M, N, K, T>& f, const T* from, unsigned stride,
                      layout_t layout) {
  CheckAddress(from, stride * sizeof(T));
  CopyIn(f, from, stride, layout == mem_row_major);
}
template <int M, int N, int K, typename T>
void store_matrix_sync(T* to, const fragment<accumulator, M, N, K, T>& f, unsigned stride,
                       layout_t layout) {
  CheckAddress(to, stride * sizeof(T));
  if (!Leads()) return;
  for (unsigned r = 0; r < M; ++r)
    for (unsigned c = 0; c < N; ++c)
      to[layout == mem_row_major ? r * stride + c : c * stride + r] = f.x[r * N + c];
}
template <int M, int N, int K, typename T, typename LayoutA, typename LayoutB>
void mma_sync(fragment<accumulator, M, N, K, float>& d,
              const fragment<matrix_a, M, N, K, T, LayoutA>& a,
              const fragment<matrix_b, M, N, K, T, LayoutB>& b,
              const fragment<accumulator, M, N, K, float>& c) {
  if (!Leads()) return;
  float right[K][N];
  for (int k = 0; k < K; ++k)
    for (int n = 0; n < N; ++n) right[k][n] = static_cast<float>(b.x[k * N + n]);
  for (int m = 0; m < M; ++m) {
    float sums[N];
    for (int n = 0; n < N; ++n) sums[n] = c.x[m * N + n];
    for (int k = 0; k < K; ++k) {
      const float left = static_cast<float>(a.x[m * K + k]);
      for (int n = 0; n < N; ++n) sums[n] += left * right[k][n];
    }
    for (int n = 0; n < N; ++n) d.x[m * N + n] = sums[n];
  }
}

}  // namespace nvcuda::wmma

// NOLINTEND

#endif  // BAGEL_CUDA_EMULATION_MMA_H_
