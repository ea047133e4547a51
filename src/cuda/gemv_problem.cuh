// Products of few rows as their kernels see them.
//
// A warp makes a tile of up to sixteen outputs over a part of the columns. Lane l has rows l / 4
// and l / 4 + 8; of a step's columns it reads 16 bytes in each half, at quarter l % 4, so that four
// lanes read 64 bytes in a row: whole sectors of memory. That is also how the left side of a tensor
// core's product lies in a warp once the columns are renamed. So cards from sm_80 on multiply
// there, eight rows of x at the price of one, and older ones with multiply-adds. The warps that
// share a tile add up in shared memory; the weights of the next steps are on their way meanwhile.
//
// The rows of x lie in shared memory. Where they do not fit, a block has a slice of the columns
// alone, and the last block that is done with a unit adds up its slices.
#ifndef BAGEL_CUDA_GEMV_PROBLEM_CUH_
#define BAGEL_CUDA_GEMV_PROBLEM_CUH_

#include <cstdint>

#include "cuda/gemv.h"
#include "cuda/ptx.cuh"
#include "cuda/values.cuh"
#include "cuda/weight_chunks.cuh"

namespace bagel::gemv {

inline constexpr int kTile = 16;                              // outputs, at most
inline constexpr int kColumns = static_cast<int>(kGemvRows);  // rows of x
inline constexpr int kMostMatrices = 3;
inline constexpr int kMostNormColumns = 3584;        // BAGEL's hidden size
inline constexpr int kStages = 2;                    // steps of a warp on their way
inline constexpr int kLaneRows = 2;                  // of a tile, eight apart
inline constexpr int kChunkBytes = 16, kChunks = 2;  // of a lane in a step, in each of its rows

template <typename Format>
struct Matrix {
  Format weight;
  const float* bias;
  void* y;
  int64_t stride;
  int out;
};

// Columns [begin, end).
struct Columns {
  int begin, end;
};

// What a warp does: steps [begin, end) of tile `part` of every unit of its block.
struct Share {
  int part, begin, end;
  int first_unit, unit_step;
};

template <typename Format>
struct Problem {
  Matrix<Format> matrices[kMostMatrices];
  int count;                     // of matrices
  int tile_ends[kMostMatrices];  // tiles of the matrices up to this one
  int tile;                      // outputs of a tile
  int units;                     // of `parts` tiles, one a turn of a block
  int parts, split;              // warps that share a tile
  bool gated;                    // half of a unit's tiles are matrix 0's, half the same of matrix 1
  bool half;                     // y is f16
  bool add;
  float scale;
  View<const __half> x;
  View<const float> hidden;  // normed to x where `norm` is not null
  const float* norm;
  float eps;
  int rows, in;
  int stride;         // of x in shared memory
  int slices;         // of the columns
  float* slice_sums;  // [units][slices][parts][rows][kTile] where there are several
  int* counters;      // [units]: slices that are done; 0 before and after

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

  __device__ __forceinline__ Tile(const Problem<Format>& problem, int unit, int part) {
    if (problem.gated) {
      const int pairs = problem.parts / 2;
      matrix = part < pairs ? 0 : 1;
      first = (unit * pairs + (part < pairs ? part : part - pairs)) * problem.tile;
      return;
    }
    const int tile = unit * problem.parts + part;
    matrix = 0;
    int before = 0;
#pragma unroll
    for (int i = 1; i < kMostMatrices; ++i) {
      if (tile < problem.tile_ends[i - 1] || tile >= problem.tile_ends[i]) continue;
      matrix = i;
      before = problem.tile_ends[i - 1];
    }
    first = (tile - before) * problem.tile;
  }
};

}  // namespace bagel::gemv

#endif  // BAGEL_CUDA_GEMV_PROBLEM_CUH_
