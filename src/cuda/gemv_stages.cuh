// The weights of a product of few rows on their way to a lane.
#ifndef BAGEL_CUDA_GEMV_STAGES_CUH_
#define BAGEL_CUDA_GEMV_STAGES_CUH_

#include "cuda/gemv_problem.cuh"

namespace bagel::gemv {

// What a lane holds of a step.
struct Stage {
  uint4 bits[kChunks];
  float scale;
};

// Walks over a warp's steps, columns [begin, end), through the tiles of all its turns.
template <typename Format>
class Walk {
 public:
  __device__ Walk(const Problem<Format>& problem, int begin, int end)
      : problem_(problem), begin_(begin), end_(end), unit_(static_cast<int>(blockIdx.x)) {
    Enter();
  }

  // Calls body(the lane's data, its scale, whether each chunk is inside, whether there is a step).
  template <typename Body>
  __device__ __forceinline__ void Next(const Body& body) {
    if (unit_ >= problem_.units) return;
    body(data_, scale_, problem_.in - column_);
    data_ += 4 * kChunks * kChunkBytes;
    if constexpr (Format::kBlock > 0) scale_ += kStepColumns<Format> / Format::kBlock;
    column_ += kStepColumns<Format>;
    if (column_ - static_cast<int>(threadIdx.x % 4) * kLaneColumns<Format> < end_) return;
    unit_ += static_cast<int>(gridDim.x);
    Enter();
  }

 private:
  __device__ __forceinline__ void Enter() {
    if (unit_ >= problem_.units) return;
    const int lane = static_cast<int>(threadIdx.x % 32);
    const Tile<Format> tile(problem_, unit_, static_cast<int>(threadIdx.x / 32) / problem_.split);
    const Matrix<Format> matrix = problem_.MatrixOf(tile.matrix);
    const int row = tile.first + lane / 4, last = matrix.out - 1;
    column_ = begin_ + lane % 4 * kLaneColumns<Format>;
    const int64_t first = static_cast<int64_t>(row < last ? row : last) * problem_.in + column_;
    data_ = static_cast<const char*>(matrix.weight.data) + first / Format::kValues * kChunkBytes;
    if constexpr (Format::kBlock > 0)
      scale_ =
          static_cast<const typename Format::Scale*>(matrix.weight.scales) + first / Format::kBlock;
  }

  const Problem<Format>& problem_;
  const char* data_ = nullptr;
  const typename Format::Scale* scale_ = nullptr;
  int begin_, end_, unit_, column_ = 0;
};

// The steps on their way, copied by the card behind the lane's back: each lane reads what it asked
// for itself. In registers a wait for the oldest of them would be one for all, since the card
// counts only a few groups of loads apart, and tables in shared memory take some.
template <typename Format>
class AsyncStages {
 public:
  struct Memory {
    uint4 bits[kStages][kWarps][kChunks][32];
    float scales[kStages][kWarps][32];
  };

  __device__ AsyncStages(Memory& memory, const Problem<Format>& problem, int begin, int end)
      : memory_(memory), walk_(problem, begin, end) {
#pragma unroll 1
    for (int i = 0; i < kStages; ++i) Begin();
  }

  // The oldest step; then the next begins in its place.
  __device__ __forceinline__ Stage Take() {
    WaitForCopies<kStages - 1>();
    const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
    Stage stage;
#pragma unroll
    for (int i = 0; i < kChunks; ++i) stage.bits[i] = memory_.bits[place_][warp][i][lane];
    if constexpr (Format::kBlock > 0) stage.scale = memory_.scales[place_][warp][lane];
    return stage;
  }
  __device__ __forceinline__ void Begin() {
    const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
    walk_.Next([&](const char* data, const typename Format::Scale* scale, int left) {
#pragma unroll
      for (int i = 0; i < kChunks; ++i) {
        const bool valid = i * Format::kValues < left;
        CopyAsync16(&memory_.bits[place_][warp][i][lane], valid ? data + i * kChunkBytes : data,
                    valid);
      }
      if constexpr (Format::kBlock > 0) {
        // Two bytes are no copy of the card's.
        if constexpr (sizeof(*scale) == sizeof(float))
          CopyAsync4(&memory_.scales[place_][warp][lane], scale, left > 0);
        else
          memory_.scales[place_][warp][lane] = left > 0 ? LoadNow(scale) : 0.0f;
      }
    });
    CommitCopies();
    place_ = place_ + 1 == kStages ? 0 : place_ + 1;
  }

 private:
  Memory& memory_;
  Walk<Format> walk_;
  int place_ = 0;
};

// The steps one by one, on cards that copy nothing behind a lane's back.
template <typename Format>
class DirectStages {
 public:
  struct alignas(16) Memory {};

  __device__ DirectStages(Memory&, const Problem<Format>& problem, int begin, int end)
      : walk_(problem, begin, end) {}

  __device__ __forceinline__ Stage Take() {
    Stage stage;
    walk_.Next([&](const char* data, const typename Format::Scale* scale, int left) {
#pragma unroll
      for (int i = 0; i < kChunks; ++i)
        stage.bits[i] = i * Format::kValues < left ? LoadStreamed(data + i * kChunkBytes)
                                                   : make_uint4(0, 0, 0, 0);
      if constexpr (Format::kBlock > 0) stage.scale = left > 0 ? LoadNow(scale) : 0.0f;
    });
    return stage;
  }
  __device__ __forceinline__ void Begin() {}

 private:
  Walk<Format> walk_;
};

}  // namespace bagel::gemv

#endif  // BAGEL_CUDA_GEMV_STAGES_CUH_
