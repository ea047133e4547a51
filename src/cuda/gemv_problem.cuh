// Products of few rows as their kernels see them.
//
// A warp makes a tile of eight outputs over a part of the columns. Lane l reads 32 bytes of row
// l / 4 at quarter l % 4 of a step, 128 contiguous bytes of a row together; that is also how the
// right side of a tensor core's product lies in a warp once the columns are renamed. So cards from
// sm_80 on multiply there, eight rows of x at the price of one, and older ones with multiply-adds.
// The warps that share a tile add up in shared memory; the weights of the next steps are on their
// way meanwhile.
#ifndef BAGEL_CUDA_GEMV_PROBLEM_CUH_
#define BAGEL_CUDA_GEMV_PROBLEM_CUH_

#include <cstdint>

#include "cuda/gemv.h"
#include "cuda/ptx.cuh"
#include "cuda/values.cuh"
#include "cuda/weight_chunks.cuh"

namespace bagel::gemv {

inline constexpr int kThreads = 256, kWarps = kThreads / 32;
inline constexpr int kTile = 8;                               // outputs
inline constexpr int kColumns = static_cast<int>(kGemvRows);  // rows of x
inline constexpr int kStages = 4;                             // steps on their way
inline constexpr int kMostMatrices = 3;
inline constexpr int kNormGroups = 2;                // of eight values of a row that a thread norms
inline constexpr int kChunkBytes = 16, kChunks = 2;  // of a lane in a step
// Columns of a lane, and of a step.
template <typename Format>
constexpr int kLaneColumns = kChunks* Format::kValues;
template <typename Format>
constexpr int kStepColumns = 4 * kLaneColumns<Format>;

template <typename Format>
struct Matrix {
  Format weight;
  const float* bias;
  void* y;
  int64_t stride;
  int out;
};

template <typename Format>
struct Problem {
  Matrix<Format> matrices[kMostMatrices];
  int tile_ends[kMostMatrices];  // tiles of the matrices up to this one
  int units;                     // of kWarps / split tiles, one a turn of a block
  int split;                     // warps that share a tile
  bool gated;                    // half of a unit's tiles are matrix 0's, half the same of matrix 1
  bool half;                     // y is f16
  bool add;
  float scale;
  View<const __half> x;
  View<const float> hidden;  // normed to x where `norm` is not null
  const float* norm;
  float eps;
  int rows, in;
  int stride;  // of x in shared memory

  __device__ __forceinline__ Matrix<Format> MatrixOf(int index) const {
    const auto choose = [&](auto member) {
      const auto a = Opaque(member(matrices[0])), b = Opaque(member(matrices[1])),
                 c = Opaque(member(matrices[2]));
      return index == 0 ? a : index == 1 ? b : c;
    };
    using M = Matrix<Format>;
    return {{choose([](const M& m) { return m.weight.data; }),
             choose([](const M& m) { return m.weight.scales; }), matrices[0].weight.map, in},
            choose([](const M& m) { return m.bias; }),
            choose([](const M& m) { return m.y; }),
            choose([](const M& m) { return m.stride; }),
            choose([](const M& m) { return m.out; })};
  }
};

// One tile of one matrix: part `part` of a unit.
template <typename Format>
struct Tile {
  int matrix;
  int first;  // output; beyond the matrix where there is nothing to do

  __device__ Tile(const Problem<Format>& problem, int unit, int part) {
    const int parts = kWarps / problem.split;
    if (problem.gated) {
      const int pairs = parts / 2;
      matrix = part / pairs;
      first = (unit * pairs + part % pairs) * kTile;
      return;
    }
    const int tile = unit * parts + part;
    matrix = 0;
    int before = 0;
#pragma unroll
    for (int i = 1; i < kMostMatrices; ++i) {
      if (tile < problem.tile_ends[i - 1] || tile >= problem.tile_ends[i]) continue;
      matrix = i;
      before = problem.tile_ends[i - 1];
    }
    first = (tile - before) * kTile;
  }
};

}  // namespace bagel::gemv

#endif  // BAGEL_CUDA_GEMV_PROBLEM_CUH_
