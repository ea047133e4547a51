#include "cuda/conv.h"
#include "cuda/launch.h"
#include "cuda/values.cuh"

namespace bagel {
namespace {

struct DeviceGeometry {
  int height, width;  // of the whole input
  int output_width;
  int first_input, first_output;
  ConvSampling sampling;
};

// The row or column of the input that kernel element `tap` (0 to 2) meets at output `position`, or
// -1 in the padding.
__device__ inline int InputOf(ConvSampling sampling, int position, int tap, int size) {
  if (sampling == ConvSampling::kDown) {
    const int at = 2 * position + tap;
    return at < size ? at : -1;
  }
  const int at = position + tap - 1;
  if (sampling == ConvSampling::kSame) return at < size ? at : -1;
  return at < 2 * size ? (at < 0 ? -1 : at / 2) : -1;
}

// One warp a value of the result.
__global__ void ConvKernel(View<float> y, View<const float> x, const __half* __restrict__ weight,
                           const float* __restrict__ bias, View<const float> factors,
                           DeviceGeometry geometry, int channels, int out, bool add) {
  const int channel = static_cast<int>((blockIdx.x * blockDim.x + threadIdx.x) / 32);
  if (channel >= out) return;  // the whole warp
  const int64_t pixel = static_cast<int64_t>(blockIdx.z) * gridDim.y + blockIdx.y;
  const int row = geometry.first_output + static_cast<int>(pixel / geometry.output_width);
  const int column = static_cast<int>(pixel % geometry.output_width);
  float sum = 0;
  for (int tap = 0; tap < 9; ++tap) {
    const int from_row = InputOf(geometry.sampling, row, tap / 3, geometry.height);
    const int from_column = InputOf(geometry.sampling, column, tap % 3, geometry.width);
    if (from_row < 0 || from_column < 0) continue;
    const float* from = x.At(
        static_cast<int64_t>(from_row - geometry.first_input) * geometry.width + from_column, 0);
    const __half* weights = weight + (static_cast<int64_t>(channel) * 9 + tap) * channels;
    for (int i = static_cast<int>(threadIdx.x % 32); i < channels; i += 32) {
      float value = from[i];
      if (factors.data != nullptr) {
        value = value * *factors.At(0, i) + *factors.At(1, i);
        value = value / (1.0f + expf(-value));
      }
      sum += __half2float(weights[i]) * value;
    }
  }
  sum = WarpSum(sum);
  if (threadIdx.x % 32 != 0) return;
  if (bias != nullptr) sum += bias[channel];
  float* to = y.At(pixel, channel);
  *to = add ? *to + sum : sum;
}

}  // namespace

void CudaConv::Run(const Tensor& y, const Tensor& x, const Weight& weight,
                   const ConvGeometry& geometry, const Tensor& factors, bool add) {
  CHECK(weight.format == WeightFormat::kF16);
  constexpr unsigned kThreads = 128, kWarps = kThreads / 32;
  const DeviceGeometry shape{
      static_cast<int>(geometry.height),        static_cast<int>(geometry.width),
      static_cast<int>(geometry.OutputWidth()), static_cast<int>(geometry.first_input),
      static_cast<int>(geometry.first_output),  geometry.sampling};
  const auto width = geometry.OutputWidth();
  const dim3 grid((static_cast<unsigned>(y.cols) + kWarps - 1) / kWarps,
                  static_cast<unsigned>(width), static_cast<unsigned>(y.rows / width));
  Launch(context_.stream(), {grid, dim3(kThreads)}, ConvKernel, ViewOf<float>(y),
         ViewOf<const float>(x), static_cast<const __half*>(weight.data), weight.bias,
         ViewOf<const float>(factors), shape, static_cast<int>(x.cols), static_cast<int>(y.cols),
         add);
}

}  // namespace bagel
