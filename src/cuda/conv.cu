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

// Sixteen channels of what one kernel element meets at a pixel of the result: row is the pixel, k
// the column of the weight. Channels are a multiple of sixteen.
struct PatchSource {
  static constexpr int kPiece = 16;
  const float* data;
  int64_t stride;
  const float* scales;  // null: x itself
  const float* shifts;
  DeviceGeometry geometry;
  int channels, rows;

  struct Raw {
    float values[16];
    int channel;
    bool inside;
  };
  __device__ void Prepare() const {}
  __device__ __forceinline__ Raw Fetch(int pixel, int k) const {
    Raw raw{};
    const int tap = k / channels;
    if (pixel >= rows || tap >= 9) return raw;
    const int row =
        InputOf(geometry.sampling, geometry.first_output + pixel / geometry.output_width, tap / 3,
                geometry.height);
    const int column =
        InputOf(geometry.sampling, pixel % geometry.output_width, tap % 3, geometry.width);
    if (row < 0 || column < 0) return raw;
    raw.inside = true;
    raw.channel = k % channels;
    const int64_t from = static_cast<int64_t>(row - geometry.first_input) * geometry.width + column;
    const float* values = data + from * stride + raw.channel;
#pragma unroll
    for (int i = 0; i < 16; i += 4) {
      const float4 four = *reinterpret_cast<const float4*>(values + i);
      raw.values[i] = four.x, raw.values[i + 1] = four.y;
      raw.values[i + 2] = four.z, raw.values[i + 3] = four.w;
    }
    return raw;
  }
  __device__ __forceinline__ float Activate(const Raw& raw, int i) const {
    if (scales == nullptr || !raw.inside) return fminf(fmaxf(raw.values[i], -kMaxF16), kMaxF16);
    const float value = raw.values[i] * scales[raw.channel + i] + shifts[raw.channel + i];
    return value / (1.0f + __expf(-value));
  }
  __device__ __forceinline__ void Unpack(const Raw& raw, uint4 (&halves)[2]) const {
    unsigned words[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) words[i] = PackPair(Activate(raw, 2 * i), Activate(raw, 2 * i + 1));
    halves[0] = make_uint4(words[0], words[1], words[2], words[3]);
    halves[1] = make_uint4(words[4], words[5], words[6], words[7]);
  }
};

// One warp a value of the result: for channels of any number.
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
  const DeviceGeometry shape{
      static_cast<int>(geometry.height),        static_cast<int>(geometry.width),
      static_cast<int>(geometry.OutputWidth()), static_cast<int>(geometry.first_input),
      static_cast<int>(geometry.first_output),  geometry.sampling};
  const bool has_factors = factors.rows > 0;
  if (x.cols % 16 == 0 && InEights(x) && InChunks(weight)) {
    const PatchSource patches{x.f32(),
                              x.stride,
                              has_factors ? factors.f32(0) : nullptr,
                              has_factors ? factors.f32(1) : nullptr,
                              shape,
                              static_cast<int>(x.cols),
                              static_cast<int>(y.rows)};
    const HalfSource kernel{static_cast<const __half*>(weight.data), weight.in,
                            static_cast<int>(weight.out), static_cast<int>(weight.in)};
    LaunchGemm<GemmShape<2, 4, 64, 32, 32, 1>>(context_.stream(),
                                               GemmResultOf<float>(y, weight.bias, add, 1.0f),
                                               patches, kernel, weight.in);
    return;
  }
  constexpr unsigned kThreads = 128, kWarps = kThreads / 32;
  const auto width = geometry.OutputWidth();
  const dim3 grid((static_cast<unsigned>(y.cols) + kWarps - 1) / kWarps,
                  static_cast<unsigned>(width), static_cast<unsigned>(y.rows / width));
  Launch(context_.stream(), {grid, dim3(kThreads)}, ConvKernel, ViewOf<float>(y),
         ViewOf<const float>(x), static_cast<const __half*>(weight.data), weight.bias,
         has_factors ? ViewOf<const float>(factors) : View<const float>{nullptr, 0}, shape,
         static_cast<int>(x.cols), static_cast<int>(y.cols), add);
}

}  // namespace bagel
