// The emulation's form of src/cuda/ptx.cuh.
#ifndef BAGEL_CUDA_EMULATION_PTX_CUH_
#define BAGEL_CUDA_EMULATION_PTX_CUH_

// The names are CUDA's.
// NOLINTBEGIN

#include <cuda_fp16.h>
#include <mma.h>

namespace bagel {

inline constexpr bool kHasMma = true;

inline unsigned char* SharedMemory() { return emulation::DynamicShared(); }

inline float FastExp2(float x) { return std::exp2(x); }

template <typename T>
T Opaque(T value) {
  return value;
}
inline void WaitForEarlierKernels() {}
inline void LetLaterKernelsStart() {}

inline int AddInOrder(int* counter, int value) { return atomicAdd(counter, value); }

inline uint4 LoadStreamed(const void* from) {
  if (reinterpret_cast<uintptr_t>(from) % 16 != 0) __builtin_trap();
  return *static_cast<const uint4*>(from);
}

template <typename T>
T LoadNow(const T* from) {
  return *from;
}

inline void CopyAsync16(void* shared, const void* global, bool valid) {
  if (reinterpret_cast<uintptr_t>(shared) % 16 != 0 ||
      reinterpret_cast<uintptr_t>(global) % 16 != 0)
    __builtin_trap();
  emulation::CopyLater(shared, valid ? global : nullptr, 16);
}
template <typename T>
void CopyAsyncSmall(T* shared, const T* global, bool valid) {
  if (reinterpret_cast<uintptr_t>(global) % sizeof(T) != 0) __builtin_trap();
  emulation::CopyLater(shared, valid ? global : nullptr, sizeof(T));
}
inline void CommitCopies() { emulation::CommitCopies(); }
template <int kGroupsLeft>
void WaitForCopies() {
  emulation::WaitForCopies(kGroupsLeft);
}

using LeftFragment =
    nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, 16, 16, 16, __half, nvcuda::wmma::row_major>;
using RightFragment =
    nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, 16, 16, 16, __half, nvcuda::wmma::col_major>;
using RightRowsFragment =
    nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, 16, 16, 16, __half, nvcuda::wmma::row_major>;
using SumFragment = nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 16, float>;

template <typename Fragment>
void LoadShared(Fragment& fragment, const __half* shared, unsigned stride) {
  nvcuda::wmma::load_matrix_sync(fragment, shared, stride);
}
inline void StoreShared(float* shared, const SumFragment& fragment, unsigned stride) {
  nvcuda::wmma::store_matrix_sync(shared, fragment, stride, nvcuda::wmma::mem_row_major);
}

// Every lane names a row of eight halves; lane l of matrix i gets columns 2 * (l % 4) and the next
// of row l / 4, or with kTransposed rows 2 * (l % 4) and the next of column l / 4.
template <bool kTransposed>
void LoadMatrices(unsigned (&matrices)[4], const __half* row) {
  if (reinterpret_cast<uintptr_t>(row) % 16 != 0) __builtin_trap();
  const unsigned lane = emulation::Self() % 32, next = emulation::NextExchange();
  std::memcpy(emulation::WarpSlot(next, lane), row, 16);
  emulation::SyncWarp(0xFFFFFFFFu);
  for (unsigned i = 0; i < 4; ++i) {
    uint16_t pair[2];
    for (unsigned j = 0; j < 2; ++j) {
      const unsigned r = kTransposed ? 2 * (lane % 4) + j : lane / 4;
      const unsigned c = kTransposed ? lane / 4 : 2 * (lane % 4) + j;
      pair[j] = static_cast<const uint16_t*>(emulation::WarpSlot(next, 8 * i + r))[c];
    }
    matrices[i] = static_cast<unsigned>(pair[1]) << 16 | pair[0];
  }
}

// m16n8k16, f16 with f32 sums.
inline void MultiplyAdd16816(float (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  const unsigned lane = emulation::Self() % 32, next = emulation::NextExchange();
  const unsigned mine[6] = {a[0], a[1], a[2], a[3], b0, b1};
  std::memcpy(emulation::WarpSlot(next, lane), mine, sizeof(mine));
  emulation::SyncWarp(0xFFFFFFFFu);
  const auto value = [&](unsigned from, unsigned word, unsigned which) {
    const unsigned bits = static_cast<const unsigned*>(emulation::WarpSlot(next, from))[word];
    return F16ToF32(static_cast<uint16_t>(bits >> (16 * which)));
  };
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = lane / 4, col = 2 * (lane % 4) + i % 2;
    for (unsigned k = 0; k < 16; ++k) {
      const unsigned in_row = k % 8 / 2;
      sums[i] += value(4 * row + in_row, i / 2 + 2 * (k / 8), k % 2) *
                 value(4 * col + in_row, 4 + k / 8, k % 2);
    }
  }
}

}  // namespace bagel

// NOLINTEND

#endif  // BAGEL_CUDA_EMULATION_PTX_CUH_
