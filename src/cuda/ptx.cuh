// What C++ has no words for: asynchronous copies, matrix fragments in registers. The functions that
// need sm_80 do nothing in code for older cards, which never call them.
#ifndef BAGEL_CUDA_PTX_CUH_
#define BAGEL_CUDA_PTX_CUH_

#include <cuda_fp16.h>
#include <mma.h>

#include <cstdint>

namespace bagel {

// Whether this code is compiled for a device that has what sm_80 brought.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
inline constexpr bool kHasMma = false;
#else
inline constexpr bool kHasMma = true;
#endif

// The dynamic shared memory of the block, at a multiple of 1024 bytes.
__device__ inline unsigned char* SharedMemory() {
  extern __shared__ __align__(1024) unsigned char bagel_shared_memory[];
  return bagel_shared_memory;
}

__device__ inline unsigned SharedAddress(const void* shared) {
  return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

// 2^x to 2^-22; results below 2^-126 are 0.
__device__ inline float FastExp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// A kernel launched with LaunchShape::overlaps begins while those before it still run: what it
// reads of their results, and what it writes, comes after WaitForEarlierKernels, which every thread
// calls. LetLaterKernelsStart lets the next such kernel begin. Programmatic dependent launch,
// sm_90.
__device__ inline void WaitForEarlierKernels() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
__device__ inline void LetLaterKernelsStart() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// The same value, of which the compiler knows nothing: it keeps choosing between values from
// becoming choosing between places in memory.
template <typename T>
__device__ __forceinline__ T Opaque(T value) {
  if constexpr (sizeof(T) == 8)
    asm("" : "+l"(value));
  else
    asm("" : "+r"(value));
  return value;
}

// Adds to a counter in the device's memory and returns what it was. What this thread knows of comes
// before for all who see the sum, what they did before theirs comes before what follows here.
__device__ inline int AddInOrder(int* counter, int value) {
  int before;
  asm volatile("atom.acq_rel.gpu.global.add.s32 %0, [%1], %2;"
               : "=r"(before)
               : "l"(counter), "r"(value)
               : "memory");
  return before;
}

// 16 bytes that nobody writes while the kernel runs and that are read once.
__device__ inline uint4 LoadStreamed(const void* from) {
  uint4 bits;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(bits.x), "=r"(bits.y), "=r"(bits.z), "=r"(bits.w)
               : "l"(from));
  return bits;
}

// Values that nobody writes while the kernel runs, loaded where it is written and not where they
// are used first.
__device__ inline uint2 LoadNow(const uint2* from) {
  uint2 value;
  asm volatile("ld.global.nc.v2.u32 {%0, %1}, [%2];" : "=r"(value.x), "=r"(value.y) : "l"(from));
  return value;
}
__device__ inline unsigned LoadNow(const unsigned* from) {
  unsigned value;
  asm volatile("ld.global.nc.u32 %0, [%1];" : "=r"(value) : "l"(from));
  return value;
}

// 16 bytes from global to shared memory, or zeros where not `valid`. sm_80.
__device__ inline void CopyAsync16([[maybe_unused]] void* shared,
                                   [[maybe_unused]] const void* global,
                                   [[maybe_unused]] bool valid) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(SharedAddress(shared)),
               "l"(global), "r"(valid ? 16 : 0)
               : "memory");
#endif
}
// The same with the 4 or 8 bytes of a value. sm_80.
template <typename T>
__device__ inline void CopyAsyncSmall([[maybe_unused]] T* shared, [[maybe_unused]] const T* global,
                                      [[maybe_unused]] bool valid) {
#if __CUDA_ARCH__ >= 800
  constexpr int kBytes = static_cast<int>(sizeof(T));
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(SharedAddress(shared)),
               "l"(global), "n"(kBytes), "r"(valid ? kBytes : 0)
               : "memory");
#endif
}
// Ends a group of copies. sm_80.
__device__ inline void CommitCopies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Waits until at most kGroupsLeft of this thread's groups are under way. sm_80.
template <int kGroupsLeft>
__device__ void WaitForCopies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroupsLeft) : "memory");
#endif
}

using LeftFragment =
    nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, 16, 16, 16, __half, nvcuda::wmma::row_major>;
using RightFragment =
    nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, 16, 16, 16, __half, nvcuda::wmma::col_major>;
using RightRowsFragment =
    nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, 16, 16, 16, __half, nvcuda::wmma::row_major>;
using SumFragment = nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 16, float>;

// wmma::load_matrix_sync and store_matrix_sync of shared memory. Clang makes generic accesses of 4
// bytes of those, these are single ones of shared memory.
__device__ __forceinline__ void LoadShared(LeftFragment& fragment, const __half* shared,
                                           unsigned stride) {
  auto* words = reinterpret_cast<unsigned*>(fragment.x);
  asm volatile(
      "wmma.load.a.sync.aligned.row.m16n16k16.shared.f16 {%0, %1, %2, %3, %4, %5, %6, %7}, [%8], "
      "%9;"
      : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]), "=r"(words[4]),
        "=r"(words[5]), "=r"(words[6]), "=r"(words[7])
      : "r"(SharedAddress(shared)), "r"(stride)
      : "memory");
}
__device__ __forceinline__ void LoadShared(RightFragment& fragment, const __half* shared,
                                           unsigned stride) {
  auto* words = reinterpret_cast<unsigned*>(fragment.x);
  asm volatile(
      "wmma.load.b.sync.aligned.col.m16n16k16.shared.f16 {%0, %1, %2, %3, %4, %5, %6, %7}, [%8], "
      "%9;"
      : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]), "=r"(words[4]),
        "=r"(words[5]), "=r"(words[6]), "=r"(words[7])
      : "r"(SharedAddress(shared)), "r"(stride)
      : "memory");
}
__device__ __forceinline__ void LoadShared(RightRowsFragment& fragment, const __half* shared,
                                           unsigned stride) {
  auto* words = reinterpret_cast<unsigned*>(fragment.x);
  asm volatile(
      "wmma.load.b.sync.aligned.row.m16n16k16.shared.f16 {%0, %1, %2, %3, %4, %5, %6, %7}, [%8], "
      "%9;"
      : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]), "=r"(words[4]),
        "=r"(words[5]), "=r"(words[6]), "=r"(words[7])
      : "r"(SharedAddress(shared)), "r"(stride)
      : "memory");
}
__device__ __forceinline__ void StoreShared(float* shared, const SumFragment& fragment,
                                            unsigned stride) {
  const float* x = fragment.x;
  asm volatile(
      "wmma.store.d.sync.aligned.row.m16n16k16.shared.f32 [%8], {%0, %1, %2, %3, %4, %5, %6, %7}, "
      "%9;" ::"f"(x[0]),
      "f"(x[1]), "f"(x[2]), "f"(x[3]), "f"(x[4]), "f"(x[5]), "f"(x[6]), "f"(x[7]),
      "r"(SharedAddress(shared)), "r"(stride)
      : "memory");
}

// Four 8x8 matrices from shared memory: lanes 8i to 8i + 7 give the addresses of the rows of matrix
// i. Lane l gets of each matrix columns 2 * (l % 4) and the next of row l / 4, or, kTransposed,
// rows 2 * (l % 4) and the next of column l / 4. sm_75.
template <bool kTransposed>
__device__ void LoadMatrices([[maybe_unused]] unsigned (&matrices)[4],
                             [[maybe_unused]] const __half* row) {
#if __CUDA_ARCH__ >= 750
  if constexpr (kTransposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
                 : "r"(SharedAddress(row))
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
                 : "r"(SharedAddress(row))
                 : "memory");
#endif
}

// sums[16x8] += a[16x16] b[16x8] in f16 with f32 sums. Lane l holds of sums row l / 4 (and + 8 in
// the second half), columns 2 * (l % 4) and the next; of a the same rows with columns 2 * (l % 4)
// and the next (a[0], a[1]) and those + 8 (a[2], a[3]); of b column l / 4, rows 2 * (l % 4) and the
// next (b0) and those + 8 (b1). sm_80.
__device__ inline void MultiplyAdd16816([[maybe_unused]] float (&sums)[4],
                                        [[maybe_unused]] const unsigned (&a)[4],
                                        [[maybe_unused]] unsigned b0,
                                        [[maybe_unused]] unsigned b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

}  // namespace bagel

#endif  // BAGEL_CUDA_PTX_CUH_
