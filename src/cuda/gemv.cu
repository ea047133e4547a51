#include <algorithm>

#include "cuda/gemv.h"
#include "cuda/launch.h"
#include "cuda/ptx.cuh"
#include "cuda/values.cuh"
#include "cuda/weight_chunks.cuh"

namespace bagel {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
// Columns of x in shared memory at once, for one row; more rows share the same bytes.
constexpr int kPieceBytes = 40 << 10;

// Where the group of eight columns `group` of a piece of x lies, so that the lanes of a warp, each
// with a chunk of kGroups groups, read neighbouring groups at the same time.
template <int kGroups>
__device__ __forceinline__ int PlaceOf(int group) {
  const int turn = group / (32 * kGroups), lane = group / kGroups % 32, part = group % kGroups;
  return (turn * kGroups + part) * 32 + lane;
}

// Columns [first, first + count) of x into shared memory: uint4 [kRows][places].
template <int kRows, int kGroups>
__device__ __forceinline__ void StageRows(uint4* staged, int places, const View<const __half>& x,
                                          int first, int count) {
  for (int group = static_cast<int>(threadIdx.x); group < count / 8; group += kThreads) {
#pragma unroll
    for (int row = 0; row < kRows; ++row)
      staged[row * places + PlaceOf<kGroups>(group)] =
          *reinterpret_cast<const uint4*>(x.At(row, first + 8 * group));
  }
}

// sums[row][output] += the lane's share of a piece, chunks [first, first + count) of the weight.
template <typename Format, int kRows, int kOutputs>
__device__ __forceinline__ void AddPiece(float (&sums)[kRows][kOutputs], const Format& weight,
                                         int64_t output, int out, int first, int count,
                                         const uint4* staged, int places, const unsigned* table) {
  constexpr int kGroups = Format::kValues / 8;
  const int lane = static_cast<int>(threadIdx.x % 32);
  for (int turn = 0; turn * 32 < count; ++turn) {
    const int chunk = turn * 32 + lane;
    if (chunk >= count) break;
    uint4 bits[kOutputs];
    float scales[kOutputs];
#pragma unroll
    for (int o = 0; o < kOutputs; ++o) {
      const int64_t row = output + o < out ? output + o : out - 1;
      bits[o] = weight.Load(row, first + chunk);
      scales[o] = weight.Scale(row, first + chunk);
    }
    float dots[kRows][kOutputs] = {};
#pragma unroll
    for (int part = 0; part < kGroups; ++part) {
      float values[kRows][8];
#pragma unroll
      for (int row = 0; row < kRows; ++row)
        LoadValues<8>(reinterpret_cast<const __half*>(staged + row * places +
                                                      (turn * kGroups + part) * 32 + lane),
                      values[row]);
#pragma unroll
      for (int o = 0; o < kOutputs; ++o) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const float2 pair = Format::Pair(bits[o], 4 * part + i, table);
#pragma unroll
          for (int row = 0; row < kRows; ++row)
            dots[row][o] += pair.x * values[row][2 * i] + pair.y * values[row][2 * i + 1];
        }
      }
    }
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
#pragma unroll
      for (int o = 0; o < kOutputs; ++o) sums[row][o] += scales[o] * dots[row][o];
    }
  }
}

// A warp takes kOutputs outputs at a time.
template <typename Format, int kRows, int kOutputs, typename Y>
__global__ void __launch_bounds__(kThreads, 2)
    GemvKernel(View<Y> y, View<const __half> x, Format weight, const float* __restrict__ bias,
               int out, bool add, float scale, int piece) {
  constexpr int kGroups = Format::kValues / 8;
  auto* table = reinterpret_cast<unsigned*>(SharedMemory());
  auto* staged = reinterpret_cast<uint4*>(table + Format::kTableWords);
  const int in = static_cast<int>(weight.in);
  const int places = (piece / 8 + 32 * kGroups - 1) / (32 * kGroups) * (32 * kGroups);
  weight.MakeTable(table);
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int step = static_cast<int>(gridDim.x) * kWarps * kOutputs;
  for (int begin = static_cast<int>(blockIdx.x) * kWarps * kOutputs; begin < out; begin += step) {
    const int output = begin + warp * kOutputs;
    float sums[kRows][kOutputs] = {};
    for (int first = 0; first < in; first += piece) {
      const int count = in - first < piece ? in - first : piece;
      // One piece is all of x and stays there.
      if (begin == static_cast<int>(blockIdx.x) * kWarps * kOutputs || piece < in) {
        __syncthreads();
        StageRows<kRows, kGroups>(staged, places, x, first, count);
        __syncthreads();
      }
      if (output < out)
        AddPiece(sums, weight, output, out, first / Format::kValues, count / Format::kValues,
                 staged, places, table);
    }
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
#pragma unroll
      for (int o = 0; o < kOutputs; ++o) {
        const float sum = WarpSum(sums[row][o]);
        if (lane != 0 || output + o >= out) continue;
        const float value = sum * scale + (bias != nullptr ? bias[output + o] : 0.0f);
        Y* to = y.At(row, output + o);
        *to = FromFloat<Y>(add ? ToFloat(*to) + value : value);
      }
    }
  }
}

template <int kRows, int kOutputs>
void LaunchGemv(const CudaContext& context, const Tensor& y, const Tensor& x, const Weight& weight,
                bool add, float scale) {
  WithWeightChunks(weight, [&](auto chunks) {
    using Format = decltype(chunks);
    WithType(y.dtype, [&](auto type) {
      using Y = decltype(type);
      constexpr int64_t kTurn = 32 * Format::kValues;  // columns that a warp takes at once
      const int64_t fits = kPieceBytes / (kRows * 2) / kTurn * kTurn;
      const int64_t piece = std::min(weight.in, fits);
      const int64_t places = (piece + kTurn - 1) / kTurn * kTurn / 8;
      const size_t shared = Format::kTableWords * sizeof(unsigned) +
                            static_cast<size_t>(kRows * places) * sizeof(uint4);
      const int64_t blocks = (weight.out + kWarps * kOutputs - 1) / (kWarps * kOutputs);
      const int64_t most = 3 * context.multiprocessors();
      Launch(context.stream(),
             {dim3(static_cast<unsigned>(std::min(blocks, most))), dim3(kThreads), shared},
             GemvKernel<Format, kRows, kOutputs, Y>, ViewOf<Y>(y), ViewOf<const __half>(x), chunks,
             weight.bias, static_cast<int>(weight.out), add, scale, static_cast<int>(piece));
    });
  });
}

}  // namespace

bool GemvTakes(const Tensor& x, const Weight& weight) {
  return x.rows <= kMaxGemvRows && x.dtype == DType::kF16 && InEights(x) && InChunks(weight);
}

void Gemv(const CudaContext& context, const Tensor& y, const Tensor& x, const Weight& weight,
          bool add, float scale) {
  constexpr int64_t kWide = 8192;  // enough outputs to take four at a time
  for (int64_t first = 0; first < x.rows;) {
    const int64_t left = x.rows - first;
    const int64_t rows = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    const Tensor to = y.Rows(first, rows), from = x.Rows(first, rows);
    if (rows == 8)
      LaunchGemv<8, 1>(context, to, from, weight, add, scale);
    else if (rows == 4)
      LaunchGemv<4, 2>(context, to, from, weight, add, scale);
    else if (rows == 2)
      LaunchGemv<2, 2>(context, to, from, weight, add, scale);
    else if (weight.out >= kWide)
      LaunchGemv<1, 4>(context, to, from, weight, add, scale);
    else
      LaunchGemv<1, 2>(context, to, from, weight, add, scale);
    first += rows;
  }
}

}  // namespace bagel
