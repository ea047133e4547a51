#include "cuda/launch.h"
#include "cuda/linear_plain.h"
#include "cuda/values.cuh"
#include "cuda/weight_values.cuh"

namespace bagel {
namespace {

// One warp a value of the result.
template <typename Y, typename X, typename Values>
__global__ void LinearKernel(View<Y> y, View<const X> x, Values weight,
                             const float* __restrict__ bias, int in, int out, bool add,
                             float scale) {
  const int column = static_cast<int>((blockIdx.x * blockDim.x + threadIdx.x) / 32);
  if (column >= out) return;  // the whole warp
  const int64_t row = blockIdx.y;
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x % 32); i < in; i += 32)
    sum += weight(column, i) * ToFloat(*x.At(row, i));
  sum = WarpSum(sum) * scale;
  if (threadIdx.x % 32 != 0) return;
  if (bias != nullptr) sum += bias[column];
  Y* to = y.At(row, column);
  *to = FromFloat<Y>(add ? ToFloat(*to) + sum : sum);
}

}  // namespace

void LinearPlain(cudaStream_t stream, const Tensor& y, const Tensor& x, const Weight& weight,
                 bool add, float scale) {
  constexpr unsigned kThreads = 256, kWarps = kThreads / 32;
  constexpr int64_t kMaxRows = 32768;
  WithWeightValues(weight, [&](auto values) {
    using Values = decltype(values);
    WithType(y.dtype, [&](auto y_type) {
      WithType(x.dtype, [&](auto x_type) {
        using Y = decltype(y_type);
        using X = decltype(x_type);
        for (int64_t first = 0; first < y.rows; first += kMaxRows) {
          const int64_t rows = y.rows - first < kMaxRows ? y.rows - first : kMaxRows;
          const dim3 grid((static_cast<unsigned>(y.cols) + kWarps - 1) / kWarps,
                          static_cast<unsigned>(rows));
          Launch(stream, {grid, dim3(kThreads)}, LinearKernel<Y, X, Values>,
                 ViewOf<Y>(y.Rows(first, rows)), ViewOf<const X>(x.Rows(first, rows)), values,
                 weight.bias, static_cast<int>(weight.in), static_cast<int>(weight.out), add,
                 scale);
        }
      });
    });
  });
}

}  // namespace bagel
