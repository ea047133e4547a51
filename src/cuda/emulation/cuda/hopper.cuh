// The emulation's form of src/cuda/hopper.cuh. Products are done when they begin.
#ifndef BAGEL_CUDA_EMULATION_HOPPER_CUH_
#define BAGEL_CUDA_EMULATION_HOPPER_CUH_

// The names are CUDA's.
// NOLINTBEGIN

#include "cuda/ptx.cuh"
#include "cuda/tile_map.h"

namespace bagel {

inline constexpr bool kHasHopper = true;

struct EmulatedBarrier {
  unsigned parity;
  uint16_t arrivals, left;
};
static_assert(sizeof(EmulatedBarrier) == sizeof(uint64_t));

inline EmulatedBarrier& BarrierAt(uint64_t* barrier) {
  return *reinterpret_cast<EmulatedBarrier*>(barrier);
}
inline void InitBarrier(uint64_t* barrier, unsigned arrivals) {
  const auto count = static_cast<uint16_t>(arrivals);
  BarrierAt(barrier) = {0, count, count};
}
inline void ArriveAtBarrier(uint64_t* barrier) {
  EmulatedBarrier& b = BarrierAt(barrier);
  if (--b.left != 0) return;
  b.left = b.arrivals;
  b.parity ^= 1;
}
inline void WaitAtBarrier(uint64_t* barrier, unsigned parity) {
  emulation::WaitWhile(BarrierAt(barrier).parity, parity);
}

// Tiles are there when they are fetched, and their bytes are not counted.
inline void ExpectBytes(uint64_t*, unsigned) {}
inline void AcquireMap(const TileMap&) {}
inline void FetchPanel(__half* panel, const TileMap* map, int column, int row, uint64_t*) {
  const auto& tiles = *reinterpret_cast<const emulation::Map*>(map);
  for (unsigned r = 0; r < tiles.box[1]; ++r)
    for (unsigned chunk = 0; chunk < tiles.box[0] / 8; ++chunk)
      std::memcpy(panel + r * 64 + 8 * (chunk ^ r % 8),
                  tiles.address + (row + r) * tiles.stride + 2 * (column + 8 * chunk), 16);
}

inline void SyncNamed(int number, int threads) { emulation::SyncNamed(number, threads, true); }
inline void ArriveNamed(int number, int threads) { emulation::SyncNamed(number, threads, false); }

inline void PublishToProducts() {}
template <int kRegisters>
void TakeRegisters() {}
template <int kRegisters>
void GiveRegisters() {}

// Start, bytes between panels and between eight rows, each in 16 bytes.
inline uint64_t PanelDescriptor(const __half* panel, unsigned panel_bytes) {
  const auto offset = reinterpret_cast<const unsigned char*>(panel) - emulation::DynamicShared();
  if (offset % 1024 != 0) __builtin_trap();
  return static_cast<uint64_t>(offset) >> 4 | static_cast<uint64_t>(panel_bytes >> 4) << 16 |
         uint64_t{1024 >> 4} << 32;
}
// The element `column` of row `row` behind a descriptor's start.
inline float PanelElement(uint64_t descriptor, unsigned row, unsigned column) {
  const auto panel = static_cast<unsigned>(descriptor >> 16 & 0x3FFF) << 4;
  const auto eight_rows = static_cast<unsigned>(descriptor >> 32 & 0x3FFF) << 4;
  unsigned offset = (static_cast<unsigned>(descriptor & 0x3FFF) << 4) + column / 64 * panel +
                    row / 8 * eight_rows + row % 8 * 128 + column % 64 * 2;
  offset ^= (offset >> 7 & 7) << 4;
  uint16_t bits;
  std::memcpy(&bits, emulation::DynamicShared() + offset, sizeof(bits));
  return F16ToF32(bits);
}

inline void BeginProducts() {}
template <int kSums, int kWeights>
void BeginProducts(float (&)[kSums], unsigned (&)[kWeights]) {}
inline void CommitProducts() {}
template <int kGroupsLeft, int kCount>
void WaitForProducts(float (&)[kCount]) {
  emulation::SyncWarp(0xFFFFFFFFu);
}

// A lane's part of m64nNk16: of its warp's 16 rows lane / 4 and 8 below, of eight columns
// 2 * (lane % 4) and the next.
template <int kCount, typename A, typename B>
void MultiplyLane(float (&sums)[kCount], bool accumulate, const A& a, const B& b) {
  const unsigned lane = emulation::Self() % 32;
  float left[2][16];
  for (unsigned k = 0; k < 16; ++k) {
    left[0][k] = a(lane / 4, k);
    left[1][k] = a(lane / 4 + 8, k);
  }
  for (unsigned n = 0; n < kCount / 4; ++n)
    for (unsigned i = 0; i < 2; ++i) {
      float first = 0, second = 0;
      for (unsigned k = 0; k < 16; ++k) {
        const float right = b(k, 8 * n + lane % 4 * 2 + i);
        first += left[0][k] * right;
        second += left[1][k] * right;
      }
      sums[4 * n + i] = first + (accumulate ? sums[4 * n + i] : 0);
      sums[4 * n + 2 + i] = second + (accumulate ? sums[4 * n + 2 + i] : 0);
    }
}

template <int kCount>
void MultiplyPanels(float (&sums)[kCount], uint64_t a, uint64_t b, int accumulate) {
  const unsigned first = emulation::Self() % 128 / 32 * 16;
  MultiplyLane(
      sums, accumulate != 0,
      [&](unsigned row, unsigned k) { return PanelElement(a, first + row, k); },
      [&](unsigned k, unsigned column) { return PanelElement(b, column, k); });
}

template <int kCount>
void MultiplyAddPanels(float (&sums)[kCount], const unsigned* a, uint64_t b) {
  const unsigned lane = emulation::Self() % 32, next = emulation::NextExchange();
  std::memcpy(emulation::WarpSlot(next, lane), a, 4 * sizeof(unsigned));
  emulation::SyncWarp(0xFFFFFFFFu);
  MultiplyLane(
      sums, true,
      [&](unsigned row, unsigned k) {
        const unsigned from = row % 8 * 4 + k % 8 / 2, word = row / 8 + k / 8 * 2;
        const auto* words = static_cast<const unsigned*>(emulation::WarpSlot(next, from));
        return F16ToF32(static_cast<uint16_t>(words[word] >> (16 * (k % 2))));
      },
      [&](unsigned k, unsigned column) { return PanelElement(b, k, column); });
}

}  // namespace bagel

// NOLINTEND

#endif  // BAGEL_CUDA_EMULATION_HOPPER_CUH_
