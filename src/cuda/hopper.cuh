// What sm_90a brought: products of whole warpgroups from shared memory, barriers in memory that
// count, registers that move between warpgroups. A warpgroup is four warps, the first a multiple of
// four. The functions do nothing in code for other cards, which never call them.
#ifndef BAGEL_CUDA_HOPPER_CUH_
#define BAGEL_CUDA_HOPPER_CUH_

#include <cuda_fp16.h>

#include <cstdint>

#include "cuda/ptx.cuh"
#include "cuda/tile_map.h"

namespace bagel {

// Whether this code is compiled for a device that has it.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define BAGEL_HOPPER 1
inline constexpr bool kHasHopper = true;
#else
#define BAGEL_HOPPER 0
inline constexpr bool kHasHopper = false;
#endif
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ == 900 && !BAGEL_HOPPER
#error "compile for sm_90a, not sm_90"
#endif

// A barrier in shared memory: a phase ends when `arrivals` threads have arrived.
__device__ inline void InitBarrier([[maybe_unused]] uint64_t* barrier,
                                   [[maybe_unused]] unsigned arrivals) {
#if BAGEL_HOPPER
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(SharedAddress(barrier)),
               "r"(arrivals)
               : "memory");
#endif
}
__device__ inline void ArriveAtBarrier([[maybe_unused]] uint64_t* barrier) {
#if BAGEL_HOPPER
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(SharedAddress(barrier)) : "memory");
#endif
}
// Waits for the end of the last phase whose number has this parity; the one before phase 0 has
// ended.
__device__ inline void WaitAtBarrier([[maybe_unused]] uint64_t* barrier,
                                     [[maybe_unused]] unsigned parity) {
#if BAGEL_HOPPER
  unsigned ended;
  do {
    asm volatile(
        "{\n"
        ".reg .pred ended;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 ended, [%1], %2;\n"
        "selp.u32 %0, 1, 0, ended;\n"
        "}"
        : "=r"(ended)
        : "r"(SharedAddress(barrier)), "r"(parity)
        : "memory");
  } while (ended == 0);
#endif
}

// The phase under way does not end before so many bytes have come, besides its arrivals.
__device__ inline void ExpectBytes([[maybe_unused]] uint64_t* barrier,
                                   [[maybe_unused]] unsigned bytes) {
#if BAGEL_HOPPER
  asm volatile(
      "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(SharedAddress(barrier)),
      "r"(bytes)
      : "memory");
#endif
}

// What earlier kernels or the host wrote to a map is seen by this thread's fetches from here on.
__device__ inline void AcquireMap([[maybe_unused]] const TileMap& map) {
#if BAGEL_HOPPER
  asm volatile("fence.proxy.tensormap::generic.acquire.gpu [%0], 128;" ::"l"(&map) : "memory");
#endif
}
// Begins to fetch kTileMapRows rows from `row` on, kTileMapColumns columns from `column` on, into a
// panel; the bytes count at the barrier.
__device__ inline void FetchPanel([[maybe_unused]] __half* panel,
                                  [[maybe_unused]] const TileMap* map, [[maybe_unused]] int column,
                                  [[maybe_unused]] int row, [[maybe_unused]] uint64_t* barrier) {
#if BAGEL_HOPPER
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, "
      "%3}], [%4];" ::"r"(SharedAddress(panel)),
      "l"(map), "r"(column), "r"(row), "r"(SharedAddress(barrier))
      : "memory");
#endif
}

// A barrier of the block by number (0 is __syncthreads's): whole warps wait until `threads` have
// come, or come and go on.
__device__ inline void SyncNamed([[maybe_unused]] int number, [[maybe_unused]] int threads) {
#if BAGEL_HOPPER
  asm volatile("bar.sync %0, %1;" ::"r"(number), "r"(threads) : "memory");
#endif
}
__device__ inline void ArriveNamed([[maybe_unused]] int number, [[maybe_unused]] int threads) {
#if BAGEL_HOPPER
  asm volatile("bar.arrive %0, %1;" ::"r"(number), "r"(threads) : "memory");
#endif
}

// What this thread has written to shared memory becomes visible to warpgroups' products of those
// who wait for it.
__device__ inline void PublishToProducts() {
#if BAGEL_HOPPER
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// Registers of each thread of this warpgroup from here on.
template <int kRegisters>
__device__ void TakeRegisters() {
#if BAGEL_HOPPER
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
#endif
}
template <int kRegisters>
__device__ void GiveRegisters() {
#if BAGEL_HOPPER
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
#endif
}

// Matrices in shared memory lie in panels of 64 columns: row after row of 128 bytes, of which the
// 16-byte chunk c of row r is at place c ^ r % 8; a panel begins at a multiple of 1024 bytes. To
// products a panel is a descriptor, see "Matrix Descriptor Format" of the PTX manual; one for the
// transposed matrix reaches columns behind 63 in panels `panel_bytes` apart.
__device__ inline uint64_t PanelDescriptor([[maybe_unused]] const __half* panel,
                                           [[maybe_unused]] unsigned panel_bytes) {
  constexpr uint64_t kEightRows = 1024 >> 4, kSwizzle128 = uint64_t{1} << 62;
  return (SharedAddress(panel) & 0x3FFFFu) >> 4 | static_cast<uint64_t>(panel_bytes >> 4) << 16 |
         kEightRows << 32 | kSwizzle128;
}

// Begins products that read registers written before.
__device__ inline void BeginProducts() {
#if BAGEL_HOPPER
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
// Same, of products that add to `sums` and take `weights`.
template <int kSums, int kWeights>
__device__ __forceinline__ void BeginProducts([[maybe_unused]] float (&sums)[kSums],
                                              [[maybe_unused]] unsigned (&weights)[kWeights]) {
#if BAGEL_HOPPER
#pragma unroll
  for (int i = 0; i < kSums; ++i) asm volatile("" : "+f"(sums[i])::"memory");
#pragma unroll
  for (int i = 0; i < kWeights; ++i) asm volatile("" : "+r"(weights[i])::"memory");
  BeginProducts();
#endif
}
// Ends a group of products.
__device__ inline void CommitProducts() {
#if BAGEL_HOPPER
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}
// Waits until at most kGroupsLeft groups are under way; `sums` are the ones that are ready.
template <int kGroupsLeft, int kCount>
__device__ __forceinline__ void WaitForProducts([[maybe_unused]] float (&sums)[kCount]) {
#if BAGEL_HOPPER
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kGroupsLeft) : "memory");
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(sums[i])::"memory");
#endif
}

// sums[64x128] (+)= a[64x16] b^T[16x128], both in panels.
__device__ __forceinline__ void MultiplyPanels([[maybe_unused]] float (&sums)[64],
                                               [[maybe_unused]] uint64_t a,
                                               [[maybe_unused]] uint64_t b,
                                               [[maybe_unused]] int accumulate) {
#if BAGEL_HOPPER
  asm volatile(
      "{\n"
      ".reg .pred accumulate;\n"
      "setp.ne.b32 accumulate, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
      "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
      "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
      "%60, %61, %62, %63"
      "}, %64, %65, accumulate, 1, 1, 0, 0;\n"
      "}"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3]), "+f"(sums[4]), "+f"(sums[5]),
        "+f"(sums[6]), "+f"(sums[7]), "+f"(sums[8]), "+f"(sums[9]), "+f"(sums[10]), "+f"(sums[11]),
        "+f"(sums[12]), "+f"(sums[13]), "+f"(sums[14]), "+f"(sums[15]), "+f"(sums[16]),
        "+f"(sums[17]), "+f"(sums[18]), "+f"(sums[19]), "+f"(sums[20]), "+f"(sums[21]),
        "+f"(sums[22]), "+f"(sums[23]), "+f"(sums[24]), "+f"(sums[25]), "+f"(sums[26]),
        "+f"(sums[27]), "+f"(sums[28]), "+f"(sums[29]), "+f"(sums[30]), "+f"(sums[31]),
        "+f"(sums[32]), "+f"(sums[33]), "+f"(sums[34]), "+f"(sums[35]), "+f"(sums[36]),
        "+f"(sums[37]), "+f"(sums[38]), "+f"(sums[39]), "+f"(sums[40]), "+f"(sums[41]),
        "+f"(sums[42]), "+f"(sums[43]), "+f"(sums[44]), "+f"(sums[45]), "+f"(sums[46]),
        "+f"(sums[47]), "+f"(sums[48]), "+f"(sums[49]), "+f"(sums[50]), "+f"(sums[51]),
        "+f"(sums[52]), "+f"(sums[53]), "+f"(sums[54]), "+f"(sums[55]), "+f"(sums[56]),
        "+f"(sums[57]), "+f"(sums[58]), "+f"(sums[59]), "+f"(sums[60]), "+f"(sums[61]),
        "+f"(sums[62]), "+f"(sums[63])
      : "l"(a), "l"(b), "r"(accumulate));
#endif
}

// sums[64x128] += a[64x16] b[16x128], a in registers as MultiplyAdd16816 takes it, b in panels.
__device__ __forceinline__ void MultiplyAddPanels([[maybe_unused]] float (&sums)[64],
                                                  [[maybe_unused]] const unsigned* a,
                                                  [[maybe_unused]] uint64_t b) {
#if BAGEL_HOPPER
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
      "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
      "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
      "%60, %61, %62, %63"
      "}, {%64, %65, %66, %67}, %68, 1, 1, 1, 1;"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3]), "+f"(sums[4]), "+f"(sums[5]),
        "+f"(sums[6]), "+f"(sums[7]), "+f"(sums[8]), "+f"(sums[9]), "+f"(sums[10]), "+f"(sums[11]),
        "+f"(sums[12]), "+f"(sums[13]), "+f"(sums[14]), "+f"(sums[15]), "+f"(sums[16]),
        "+f"(sums[17]), "+f"(sums[18]), "+f"(sums[19]), "+f"(sums[20]), "+f"(sums[21]),
        "+f"(sums[22]), "+f"(sums[23]), "+f"(sums[24]), "+f"(sums[25]), "+f"(sums[26]),
        "+f"(sums[27]), "+f"(sums[28]), "+f"(sums[29]), "+f"(sums[30]), "+f"(sums[31]),
        "+f"(sums[32]), "+f"(sums[33]), "+f"(sums[34]), "+f"(sums[35]), "+f"(sums[36]),
        "+f"(sums[37]), "+f"(sums[38]), "+f"(sums[39]), "+f"(sums[40]), "+f"(sums[41]),
        "+f"(sums[42]), "+f"(sums[43]), "+f"(sums[44]), "+f"(sums[45]), "+f"(sums[46]),
        "+f"(sums[47]), "+f"(sums[48]), "+f"(sums[49]), "+f"(sums[50]), "+f"(sums[51]),
        "+f"(sums[52]), "+f"(sums[53]), "+f"(sums[54]), "+f"(sums[55]), "+f"(sums[56]),
        "+f"(sums[57]), "+f"(sums[58]), "+f"(sums[59]), "+f"(sums[60]), "+f"(sums[61]),
        "+f"(sums[62]), "+f"(sums[63])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
#endif
}

// sums[64x80] += a[64x16] b[16x80], a in registers as MultiplyAdd16816 takes it, b in panels.
__device__ __forceinline__ void MultiplyAddPanels([[maybe_unused]] float (&sums)[40],
                                                  [[maybe_unused]] const unsigned* a,
                                                  [[maybe_unused]] uint64_t b) {
#if BAGEL_HOPPER
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n80k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
      "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
      "%36, %37, %38, %39"
      "}, {%40, %41, %42, %43}, %44, 1, 1, 1, 1;"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3]), "+f"(sums[4]), "+f"(sums[5]),
        "+f"(sums[6]), "+f"(sums[7]), "+f"(sums[8]), "+f"(sums[9]), "+f"(sums[10]), "+f"(sums[11]),
        "+f"(sums[12]), "+f"(sums[13]), "+f"(sums[14]), "+f"(sums[15]), "+f"(sums[16]),
        "+f"(sums[17]), "+f"(sums[18]), "+f"(sums[19]), "+f"(sums[20]), "+f"(sums[21]),
        "+f"(sums[22]), "+f"(sums[23]), "+f"(sums[24]), "+f"(sums[25]), "+f"(sums[26]),
        "+f"(sums[27]), "+f"(sums[28]), "+f"(sums[29]), "+f"(sums[30]), "+f"(sums[31]),
        "+f"(sums[32]), "+f"(sums[33]), "+f"(sums[34]), "+f"(sums[35]), "+f"(sums[36]),
        "+f"(sums[37]), "+f"(sums[38]), "+f"(sums[39])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
#endif
}

#undef BAGEL_HOPPER

}  // namespace bagel

#endif  // BAGEL_CUDA_HOPPER_CUH_
