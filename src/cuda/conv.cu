#include <algorithm>

#include "cuda/conv.h"
#include "cuda/gemm.cuh"
#include "cuda/gemm_sources.cuh"
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

DeviceGeometry DeviceGeometryOf(const ConvGeometry& geometry) {
  return {static_cast<int>(geometry.height),        static_cast<int>(geometry.width),
          static_cast<int>(geometry.OutputWidth()), static_cast<int>(geometry.first_input),
          static_cast<int>(geometry.first_output),  geometry.sampling};
}

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

// Eight channels of what one kernel element meets at a pixel of the result: row is the pixel, k the
// column of the weight. `data` f16 [input pixels, channels], channels a multiple of eight.
struct PatchSource {
  static constexpr int kPiece = 8;
  const __half* data;
  DeviceGeometry geometry;
  int channels, rows;

  using Raw = uint4;
  __device__ void Prepare() const {}
  __device__ __forceinline__ Raw Fetch(int pixel, int k) const {
    const int tap = k / channels;
    const int row =
        InputOf(geometry.sampling, geometry.first_output + pixel / geometry.output_width, tap / 3,
                geometry.height);
    const int column =
        InputOf(geometry.sampling, pixel % geometry.output_width, tap % 3, geometry.width);
    if (pixel >= rows || tap >= 9 || row < 0 || column < 0) return make_uint4(0, 0, 0, 0);
    const int64_t from = static_cast<int64_t>(row - geometry.first_input) * geometry.width + column;
    return *reinterpret_cast<const uint4*>(data + from * channels + k % channels);
  }
  __device__ __forceinline__ void Unpack(const Raw& raw, uint4 (&halves)[1]) const {
    halves[0] = raw;
  }
};

// values = x, or silu(x * scales + shifts), as dense f16: eight channels a thread.
template <typename X>
__global__ void ActivateKernel(__half* values, View<const X> x, const float* scales,
                               const float* shifts, int groups, int64_t total) {
  constexpr int kEight = 8;
  const int64_t index = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (index >= total) return;
  const auto channel = static_cast<int>(index % groups) * kEight;
  float eight[kEight];
  LoadValues<kEight>(x.At(index / groups, channel), eight);
  if (scales != nullptr) {
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
      const float value = eight[i] * scales[channel + i] + shifts[channel + i];
      eight[i] = value / (1.0f + __expf(-value));
    }
  }
  StoreValues<kEight>(values + index * kEight, eight);
}

// One thread a value of the result: for few channels, of any number.
template <typename Y, typename X>
__global__ void ConvKernel(View<Y> y, View<const X> x, const __half* __restrict__ weight,
                           const float* __restrict__ bias, View<const float> factors,
                           DeviceGeometry geometry, int channels, int out, int64_t total,
                           bool add) {
  const int64_t index = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (index >= total) return;
  const auto channel = static_cast<int>(index % out);
  const int64_t pixel = index / out;
  const int row = geometry.first_output + static_cast<int>(pixel / geometry.output_width);
  const auto column = static_cast<int>(pixel % geometry.output_width);
  float sum = bias != nullptr ? bias[channel] : 0.0f;
  for (int tap = 0; tap < 9; ++tap) {
    const int from_row = InputOf(geometry.sampling, row, tap / 3, geometry.height);
    const int from_column = InputOf(geometry.sampling, column, tap % 3, geometry.width);
    if (from_row < 0 || from_column < 0) continue;
    const X* from = x.At(
        static_cast<int64_t>(from_row - geometry.first_input) * geometry.width + from_column, 0);
    const __half* weights = weight + (static_cast<int64_t>(channel) * 9 + tap) * channels;
    for (int i = 0; i < channels; ++i) {
      float value = ToFloat(from[i]);
      if (factors.data != nullptr) {
        value = value * *factors.At(0, i) + *factors.At(1, i);
        value = value / (1.0f + expf(-value));
      }
      sum += __half2float(weights[i]) * value;
    }
  }
  Y* to = y.At(pixel, channel);
  *to = FromFloat<Y>(add ? ToFloat(*to) + sum : sum);
}

using Shape = GemmShape<2, 2, 64, 64, 32, 2>;

// Bytes of activated input for which a convolution takes scratch memory at most.
constexpr int64_t kActivatedBytes = int64_t{64} << 20;

}  // namespace

void CudaConv::RunBands(const Tensor& y, const Tensor& x, const Weight& weight,
                        const ConvGeometry& geometry, const Tensor& factors, bool add) {
  constexpr int64_t kThreads = 256, kEight = 8;
  const bool has_factors = factors.rows > 0;
  const int64_t width = geometry.OutputWidth(), rows = y.rows / width;
  const int64_t row_bytes = geometry.width * x.cols * static_cast<int64_t>(sizeof(__half));
  // As many output rows as input rows fit, for any sampling.
  const int64_t band = std::clamp<int64_t>(kActivatedBytes / row_bytes / 2 - 2, 1, rows);
  const auto most = static_cast<size_t>(std::min(2 * band + 2, x.rows / geometry.width));
  auto* values = static_cast<__half*>(context_.Scratch(most * static_cast<size_t>(row_bytes)));
  const HalfSource kernel{static_cast<const __half*>(weight.data), weight.in,
                          static_cast<int>(weight.out), static_cast<int>(weight.in)};
  for (int64_t first = 0; first < rows; first += band) {
    const int64_t count = std::min(band, rows - first);
    ConvGeometry part = geometry;
    part.first_output += first;
    const auto [begin, end] = geometry.InputRows(part.first_output, count);
    part.first_input = begin;
    const Tensor input =
        x.Rows((begin - geometry.first_input) * geometry.width, (end - begin) * geometry.width);
    const int64_t total = input.rows * x.cols / kEight;
    WithType(x.dtype, [&](auto type) {
      using X = decltype(type);
      Launch(context_.stream(),
             {dim3(static_cast<unsigned>((total + kThreads - 1) / kThreads)), dim3(kThreads)},
             ActivateKernel<X>, values, ViewOf<const X>(input),
             has_factors ? factors.f32(0) : nullptr, has_factors ? factors.f32(1) : nullptr,
             static_cast<int>(x.cols / kEight), total);
    });
    const Tensor output = y.Rows(first * width, count * width);
    const PatchSource patches{values, DeviceGeometryOf(part), static_cast<int>(x.cols),
                              static_cast<int>(output.rows)};
    WithType(y.dtype, [&](auto type) {
      LaunchGemm<Shape>(context_, GemmResultOf<decltype(type)>(output, weight.bias, add, 1.0f),
                        patches, kernel, weight.in,
                        ShareLastTurn<Shape>(context_, output.rows, output.cols, weight.in));
    });
  }
}

void CudaConv::Run(const Tensor& y, const Tensor& x, const Weight& weight,
                   const ConvGeometry& geometry, const Tensor& factors, bool add) {
  CHECK(weight.format == WeightFormat::kF16);
  if (x.cols % 8 == 0 && InEights(x) && HasSource(weight))
    return RunBands(y, x, weight, geometry, factors, add);
  const bool has_factors = factors.rows > 0;
  constexpr int64_t kThreads = 256;
  const int64_t total = y.rows * y.cols;
  WithTypes(y, x, [&](auto y_type, auto x_type) {
    using Y = decltype(y_type);
    using X = decltype(x_type);
    Launch(
        context_.stream(),
        {dim3(static_cast<unsigned>((total + kThreads - 1) / kThreads)), dim3(kThreads)},
        ConvKernel<Y, X>, ViewOf<Y>(y), ViewOf<const X>(x), static_cast<const __half*>(weight.data),
        weight.bias, has_factors ? ViewOf<const float>(factors) : View<const float>{nullptr, 0},
        DeviceGeometryOf(geometry), static_cast<int>(x.cols), static_cast<int>(y.cols), total, add);
  });
}

}  // namespace bagel
