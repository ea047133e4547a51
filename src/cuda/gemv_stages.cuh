// The weights of a product of few rows on their way to a lane.
#ifndef BAGEL_CUDA_GEMV_STAGES_CUH_
#define BAGEL_CUDA_GEMV_STAGES_CUH_

#include "cuda/gemv_problem.cuh"

namespace bagel::gemv {

// What a lane holds of a step.
template <typename Format>
struct Stage {
  uint4 bits[kLaneRows][kChunks];
  typename Format::Scales scales[kLaneRows];
};

// Walks over a warp's steps [begin, end) through the tiles of all its turns.
template <typename Format>
class Walk {
 public:
  using Scales = typename Format::Scales;

  __device__ __forceinline__ Walk(const Problem<Format>& problem, const Share& share)
      : problem_(problem),
        share_(share),
        steps_(problem.in / Format::kStepColumns),
        unit_(share.begin < share.end ? share.first_unit : problem.units) {
    Enter();
  }

  // Calls body(row, data, scales, valid) for each of the lane's rows at the next step, if there is
  // one: its chunks are at data and half a step's bytes behind.
  template <typename Body>
  __device__ __forceinline__ void Next(const Body& body) {
    if (unit_ >= problem_.units) return;
    body(0, data_, scales_, valid_[0]);
    body(1, data_ + second_ * kStepBytes, scales_ + second_, valid_[1]);
    data_ += kStepBytes;
    ++scales_;
    if (++step_ < share_.end) return;
    unit_ += share_.unit_step;
    Enter();
  }

 private:
  static constexpr int kStepBytes = 4 * kChunks * kChunkBytes;

  __device__ __forceinline__ void Enter() {
    if (unit_ >= problem_.units) return;
    const int lane = static_cast<int>(threadIdx.x % 32);
    const Tile<Format> tile(problem_, unit_, share_.part);
    const Matrix<Format> matrix = problem_.MatrixOf(tile.matrix);
    const int in_tile = lane / 4, row = tile.first + in_tile;
    valid_[0] = in_tile < problem_.tile && row < matrix.out;
    valid_[1] = in_tile + 8 < problem_.tile && row + 8 < matrix.out;
    const int64_t first = static_cast<int64_t>(valid_[0] ? row : 0) * steps_ + share_.begin;
    step_ = share_.begin;
    data_ =
        static_cast<const char*>(matrix.weight.data) + first * kStepBytes + lane % 4 * kChunkBytes;
    scales_ = static_cast<const Scales*>(matrix.weight.scales) + first;
    second_ = valid_[1] ? 8 * steps_ : 0;
  }

  const Problem<Format>& problem_;
  const Share share_;
  const int steps_;
  const char* data_ = nullptr;
  const Scales* scales_ = nullptr;
  int second_ = 0;  // steps that the lane's second row is away
  bool valid_[kLaneRows] = {};
  int unit_, step_ = 0;
};

// The steps on their way, copied by the card behind the lane's back: each lane reads what it asked
// for itself. In registers a wait for the oldest of them would be one for all, since the card
// counts only a few groups of loads apart, and tables in shared memory take some.
template <typename Format>
class AsyncStages {
 public:
  // Of a warp, for one step.
  struct Memory {
    uint4 bits[kLaneRows][kChunks][32];
    typename Format::Scales scales[kLaneRows][Format::kHasScales ? 32 : 1];
  };
  static constexpr int kWarpBytes = kStages * static_cast<int>(sizeof(Memory));

  __device__ __forceinline__ AsyncStages(char* memory, const Problem<Format>& problem,
                                         const Share& share)
      : memory_(reinterpret_cast<Memory*>(memory)), walk_(problem, share) {
#pragma unroll 1
    for (int i = 0; i < kStages; ++i) Begin();
  }

  // The oldest step; the next begins in its place.
  __device__ __forceinline__ Stage<Format> Take() {
    WaitForCopies<kStages - 1>();
    const int lane = static_cast<int>(threadIdx.x % 32);
    const Memory& memory = memory_[place_];
    Stage<Format> stage;
#pragma unroll
    for (int row = 0; row < kLaneRows; ++row) {
#pragma unroll
      for (int i = 0; i < kChunks; ++i) stage.bits[row][i] = memory.bits[row][i][lane];
      if constexpr (Format::kHasScales) stage.scales[row] = memory.scales[row][lane];
    }
    Begin();
    return stage;
  }

 private:
  __device__ __forceinline__ void Begin() {
    const int lane = static_cast<int>(threadIdx.x % 32);
    Memory& memory = memory_[place_];
    walk_.Next([&](int row, const char* data, const typename Format::Scales* scales, bool valid) {
#pragma unroll
      for (int i = 0; i < kChunks; ++i)
        CopyAsync16(&memory.bits[row][i][lane], data + i * 4 * kChunkBytes, valid);
      if constexpr (Format::kHasScales) CopyAsyncSmall(&memory.scales[row][lane], scales, valid);
    });
    CommitCopies();
    place_ = place_ + 1 == kStages ? 0 : place_ + 1;
  }

  Memory* memory_;
  Walk<Format> walk_;
  int place_ = 0;
};

// One step ahead in registers, on cards that copy nothing behind a lane's back.
template <typename Format>
class DirectStages {
 public:
  static constexpr int kWarpBytes = 0;

  __device__ __forceinline__ DirectStages(char*, const Problem<Format>& problem, const Share& share)
      : walk_(problem, share), next_(Load()) {}

  __device__ __forceinline__ Stage<Format> Take() {
    const Stage<Format> stage = next_;
    next_ = Load();
    return stage;
  }

 private:
  __device__ __forceinline__ Stage<Format> Load() {
    Stage<Format> stage{};
    // Rows that are not there repeat others, and nobody looks at their sums.
    walk_.Next([&](int row, const char* data, const typename Format::Scales* scales, bool) {
#pragma unroll
      for (int i = 0; i < kChunks; ++i)
        stage.bits[row][i] = LoadStreamed(data + i * 4 * kChunkBytes);
      if constexpr (Format::kHasScales) stage.scales[row] = LoadNow(scales);
    });
    return stage;
  }

  Walk<Format> walk_;
  Stage<Format> next_;
};

}  // namespace bagel::gemv

#endif  // BAGEL_CUDA_GEMV_STAGES_CUH_
