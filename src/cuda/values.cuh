// f16 and f32 elements as one kernel sees them.
#ifndef BAGEL_CUDA_VALUES_CUH_
#define BAGEL_CUDA_VALUES_CUH_

#include <cuda_fp16.h>

#include <cstdint>

#include "base/error.h"
#include "cuda/ptx.cuh"
#include "tensor/tensor.h"

namespace bagel {

inline constexpr float kMaxF16 = 65504.0f;

__device__ inline float ToFloat(float value) { return value; }
__device__ inline float ToFloat(__half value) { return __half2float(value); }

// f16 saturates instead of overflowing; NaN stays NaN.
template <typename T>
__device__ T FromFloat(float value);
template <>
__device__ inline float FromFloat<float>(float value) {
  return value;
}
template <>
__device__ inline __half FromFloat<__half>(float value) {
  const float low = value < -kMaxF16 ? -kMaxF16 : value;
  return __float2half_rn(low > kMaxF16 ? kMaxF16 : low);
}

// N consecutive elements; for N = 8 the address is a multiple of 16 bytes.
template <int N>
__device__ void LoadValues(const float* from, float (&values)[N]) {
  if constexpr (N == 8) {
    const float4 a = reinterpret_cast<const float4*>(from)[0];
    const float4 b = reinterpret_cast<const float4*>(from)[1];
    values[0] = a.x, values[1] = a.y, values[2] = a.z, values[3] = a.w;
    values[4] = b.x, values[5] = b.y, values[6] = b.z, values[7] = b.w;
  } else {
    for (int i = 0; i < N; ++i) values[i] = from[i];
  }
}
template <int N>
__device__ void LoadValues(const __half* from, float (&values)[N]) {
  if constexpr (N == 8) {
    const uint4 bits = *reinterpret_cast<const uint4*>(from);
    const auto* pairs = reinterpret_cast<const __half2*>(&bits);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float2 pair = __half22float2(pairs[i]);
      values[2 * i] = pair.x;
      values[2 * i + 1] = pair.y;
    }
  } else {
    for (int i = 0; i < N; ++i) values[i] = __half2float(from[i]);
  }
}
template <int N>
__device__ void StoreValues(float* to, const float (&values)[N]) {
  if constexpr (N == 8) {
    reinterpret_cast<float4*>(to)[0] = make_float4(values[0], values[1], values[2], values[3]);
    reinterpret_cast<float4*>(to)[1] = make_float4(values[4], values[5], values[6], values[7]);
  } else {
    for (int i = 0; i < N; ++i) to[i] = values[i];
  }
}
template <int N>
__device__ void StoreValues(__half* to, const float (&values)[N]) {
  if constexpr (N == 8) {
    uint4 bits;
    auto* halves = reinterpret_cast<__half*>(&bits);
#pragma unroll
    for (int i = 0; i < 8; ++i) halves[i] = FromFloat<__half>(values[i]);
    *reinterpret_cast<uint4*>(to) = bits;
  } else {
    for (int i = 0; i < N; ++i) to[i] = FromFloat<__half>(values[i]);
  }
}

// Two values, the first in the lower half.
__device__ inline unsigned PackPair(float low, float high) {
  const __half2 pair = __floats2half2_rn(low, high);
  return *reinterpret_cast<const unsigned*>(&pair);
}

// Two neighbours; beyond f16's range they become infinite.
__device__ inline void StorePair(__half* to, float a, float b) {
  *reinterpret_cast<__half2*>(to) = __floats2half2_rn(a, b);
}
__device__ inline void StorePair(float* to, float a, float b) {
  *reinterpret_cast<float2*>(to) = make_float2(a, b);
}

// The sum or the largest of a warp's values, in every lane.
__device__ inline float WarpSum(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2)
    value += __shfl_xor_sync(0xFFFFFFFFu, value, offset);
  return value;
}

__device__ inline float WarpMax(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2)
    value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFu, value, offset));
  return value;
}

// The sum of a block's values, in every thread. At most 32 warps, all of them whole.
__device__ inline float BlockSum(float value) {
  __shared__ float sums[32];
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  value = WarpSum(value);
  __syncthreads();  // sums may still be read by the call before
  if (lane == 0) sums[warp] = value;
  __syncthreads();
  return WarpSum(lane < blockDim.x / 32 ? sums[lane] : 0.0f);
}

// Whether this block is the last of `blocks` to come here; it then sees what the others wrote to
// the device's memory before, and the counter is 0 again. All threads of the block call it.
__device__ inline bool IsLastBlock(int* counter, int blocks) {
  __shared__ bool last;
  __syncthreads();
  if (threadIdx.x == 0) {
    last = AddInOrder(counter, 1) == blocks - 1;
    if (last) *counter = 0;
  }
  __syncthreads();
  return last;
}

// A tensor's memory in a kernel.
template <typename T>
struct View {
  T* data;
  int64_t stride;

  __device__ T* At(int64_t row, int64_t column) const { return data + row * stride + column; }
};

template <typename T>
View<T> ViewOf(const Tensor& tensor) {
  return {static_cast<T*>(tensor.data), tensor.stride};
}

// Calls body with a value of the element's type.
template <typename Body>
void WithType(DType dtype, const Body& body) {
  CHECK(dtype == DType::kF32 || dtype == DType::kF16);
  if (dtype == DType::kF16)
    body(__half{});
  else
    body(float{});
}

// Calls body with values of both element types.
template <typename Body>
void WithTypes(const Tensor& y, const Tensor& x, const Body& body) {
  WithType(y.dtype,
           [&](auto y_type) { WithType(x.dtype, [&](auto x_type) { body(y_type, x_type); }); });
}

// Whether eight columns at a time can be read and written.
inline bool InEights(const Tensor& tensor) {
  const auto address = reinterpret_cast<uintptr_t>(tensor.data);
  return tensor.cols % 8 == 0 && tensor.stride % 8 == 0 && address % 16 == 0;
}

}  // namespace bagel

#endif  // BAGEL_CUDA_VALUES_CUH_
