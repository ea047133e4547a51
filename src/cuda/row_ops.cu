#include <type_traits>

#include "cuda/launch.h"
#include "cuda/row_ops.h"
#include "cuda/values.cuh"

namespace bagel {
namespace {

constexpr unsigned kThreads = 256;

// ---- Norms: one block a row ----

unsigned ThreadsForRow(int64_t cols) { return cols <= 1024 ? 128 : cols <= 4096 ? 256 : 512; }

template <int N, typename Y, typename X>
__global__ void RmsNormKernel(View<Y> y, View<const X> x, const float* __restrict__ weight,
                              int cols, float eps) {
  const int64_t row = blockIdx.x;
  const int step = static_cast<int>(blockDim.x) * N;
  const int begin = static_cast<int>(threadIdx.x) * N;
  float sum = 0;
  for (int i = begin; i < cols; i += step) {
    float values[N];
    LoadValues<N>(x.At(row, i), values);
#pragma unroll
    for (int j = 0; j < N; ++j) sum += values[j] * values[j];
  }
  const float scale = 1.0f / sqrtf(BlockSum(sum) / static_cast<float>(cols) + eps);
  for (int i = begin; i < cols; i += step) {
    float values[N], weights[N];
    LoadValues<N>(x.At(row, i), values);
    LoadValues<N>(weight + i, weights);
#pragma unroll
    for (int j = 0; j < N; ++j) values[j] = values[j] * scale * weights[j];
    StoreValues<N>(y.At(row, i), values);
  }
}

template <int N, typename Y, typename X>
__global__ void LayerNormKernel(View<Y> y, View<const X> x, const float* __restrict__ weight,
                                const float* __restrict__ bias, int cols, float eps) {
  const int64_t row = blockIdx.x;
  const int step = static_cast<int>(blockDim.x) * N;
  const int begin = static_cast<int>(threadIdx.x) * N;
  float sum = 0;
  for (int i = begin; i < cols; i += step) {
    float values[N];
    LoadValues<N>(x.At(row, i), values);
#pragma unroll
    for (int j = 0; j < N; ++j) sum += values[j];
  }
  const float mean = BlockSum(sum) / static_cast<float>(cols);
  float squares = 0;
  for (int i = begin; i < cols; i += step) {
    float values[N];
    LoadValues<N>(x.At(row, i), values);
#pragma unroll
    for (int j = 0; j < N; ++j) squares += (values[j] - mean) * (values[j] - mean);
  }
  const float scale = 1.0f / sqrtf(BlockSum(squares) / static_cast<float>(cols) + eps);
  for (int i = begin; i < cols; i += step) {
    float values[N], weights[N], biases[N];
    LoadValues<N>(x.At(row, i), values);
    LoadValues<N>(weight + i, weights);
    LoadValues<N>(bias + i, biases);
#pragma unroll
    for (int j = 0; j < N; ++j) values[j] = (values[j] - mean) * scale * weights[j] + biases[j];
    StoreValues<N>(y.At(row, i), values);
  }
}

bool VectorInEights(const float* vector) { return reinterpret_cast<uintptr_t>(vector) % 16 == 0; }

// ---- Element by element: a thread takes N neighbours ----

template <int N, typename Function>
__global__ void ForElementsKernel(unsigned groups, unsigned total, Function function) {
  const unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= total) return;
  function.template Apply<N>(index / groups, static_cast<int64_t>(index % groups) * N);
}

// function.Apply<N>(row, column) for all elements of a tensor of that shape.
template <typename Function>
void ForElements(cudaStream_t stream, int64_t rows, int64_t cols, bool eights,
                 const Function& function) {
  const int64_t groups = eights ? cols / 8 : cols;
  const int64_t total = rows * groups;
  CHECK(total < int64_t{1} << 32);
  const LaunchShape shape{dim3(static_cast<unsigned>((total + kThreads - 1) / kThreads)),
                          dim3(kThreads)};
  const auto count = static_cast<unsigned>(total), in_row = static_cast<unsigned>(groups);
  if (eights)
    Launch(stream, shape, ForElementsKernel<8, Function>, in_row, count, function);
  else
    Launch(stream, shape, ForElementsKernel<1, Function>, in_row, count, function);
}

struct GeluTanh {
  __device__ float operator()(float x) const {
    constexpr float kRoot = 0.7978845608028654f;  // sqrt(2 / pi)
    return 0.5f * x * (1.0f + tanhf(kRoot * (x + 0.044715f * x * x * x)));
  }
};
__device__ inline float SiluOf(float x) { return x / (1.0f + expf(-x)); }
struct Silu {
  __device__ float operator()(float x) const { return SiluOf(x); }
};

template <typename T, typename Function>
struct InPlace {
  View<T> x;
  Function function;

  template <int N>
  __device__ void Apply(int64_t row, int64_t column) const {
    float values[N];
    LoadValues<N>(x.At(row, column), values);
#pragma unroll
    for (int i = 0; i < N; ++i) values[i] = function(values[i]);
    StoreValues<N>(x.At(row, column), values);
  }
};

// What cuBLAS left infinite, at the end of f16's range.
__device__ inline float Finite(float value) {
  return fabsf(value) == INFINITY ? copysignf(kMaxF16, value) : value;
}

template <typename Y, typename X>
struct SwiGlu {
  View<Y> y;
  View<const X> gate, up;
  float factor;

  template <int N>
  __device__ void Apply(int64_t row, int64_t column) const {
    float gates[N], ups[N];
    LoadValues<N>(gate.At(row, column), gates);
    LoadValues<N>(up.At(row, column), ups);
#pragma unroll
    for (int i = 0; i < N; ++i) gates[i] = SiluOf(Finite(gates[i])) * Finite(ups[i]) * factor;
    StoreValues<N>(y.At(row, column), gates);
  }
};

template <typename Y, typename X>
struct Blend {
  View<Y> y;
  View<const X> x;
  float keep, factor;

  template <int N>
  __device__ void Apply(int64_t row, int64_t column) const {
    float values[N];
    LoadValues<N>(x.At(row, column), values);
    float old[N] = {};
    if (keep != 0) LoadValues<N>(y.At(row, column), old);
#pragma unroll
    for (int i = 0; i < N; ++i) values[i] = keep * old[i] + factor * values[i];
    StoreValues<N>(y.At(row, column), values);
  }
};

template <typename Y>
struct AddBias {
  View<Y> y;
  const float* bias;

  template <int N>
  __device__ void Apply(int64_t row, int64_t column) const {
    float values[N], biases[N];
    LoadValues<N>(y.At(row, column), values);
    LoadValues<N>(bias + column, biases);
#pragma unroll
    for (int i = 0; i < N; ++i) values[i] += biases[i];
    StoreValues<N>(y.At(row, column), values);
  }
};

template <typename Y, typename X>
struct ScaleShift {
  View<Y> y;
  View<const X> x;
  View<const float> factors;

  template <int N>
  __device__ void Apply(int64_t row, int64_t column) const {
    float values[N], scales[N], shifts[N];
    LoadValues<N>(x.At(row, column), values);
    LoadValues<N>(factors.At(0, column), scales);
    LoadValues<N>(factors.At(1, column), shifts);
#pragma unroll
    for (int i = 0; i < N; ++i) values[i] = values[i] * scales[i] + shifts[i];
    StoreValues<N>(y.At(row, column), values);
  }
};

template <typename Function>
void ApplyInPlace(cudaStream_t stream, const Tensor& x, const Function& function) {
  WithType(x.dtype, [&](auto type) {
    using T = decltype(type);
    ForElements(stream, x.rows, x.cols, InEights(x), InPlace<T, Function>{ViewOf<T>(x), function});
  });
}

}  // namespace

void CudaRmsNorm(cudaStream_t stream, const Tensor& y, const Tensor& x, const float* weight,
                 float eps) {
  const LaunchShape shape{dim3(static_cast<unsigned>(x.rows)), dim3(ThreadsForRow(x.cols))};
  WithTypes(y, x, [&](auto y_type, auto x_type) {
    using Y = decltype(y_type);
    using X = decltype(x_type);
    const bool eights = InEights(y) && InEights(x) && VectorInEights(weight);
    Launch(stream, shape, eights ? RmsNormKernel<8, Y, X> : RmsNormKernel<1, Y, X>, ViewOf<Y>(y),
           ViewOf<const X>(x), weight, static_cast<int>(x.cols), eps);
  });
}

void CudaLayerNorm(cudaStream_t stream, const Tensor& y, const Tensor& x, const float* weight,
                   const float* bias, float eps) {
  const LaunchShape shape{dim3(static_cast<unsigned>(x.rows)), dim3(ThreadsForRow(x.cols))};
  WithTypes(y, x, [&](auto y_type, auto x_type) {
    using Y = decltype(y_type);
    using X = decltype(x_type);
    const bool eights =
        InEights(y) && InEights(x) && VectorInEights(weight) && VectorInEights(bias);
    Launch(stream, shape, eights ? LayerNormKernel<8, Y, X> : LayerNormKernel<1, Y, X>,
           ViewOf<Y>(y), ViewOf<const X>(x), weight, bias, static_cast<int>(x.cols), eps);
  });
}

void CudaGeluTanh(cudaStream_t stream, const Tensor& x) { ApplyInPlace(stream, x, GeluTanh{}); }

void CudaSilu(cudaStream_t stream, const Tensor& x) { ApplyInPlace(stream, x, Silu{}); }

void CudaSwiGlu(cudaStream_t stream, const Tensor& y, const Tensor& gate, const Tensor& up,
                float factor) {
  CHECK(gate.dtype == up.dtype);
  WithTypes(y, gate, [&](auto y_type, auto x_type) {
    using Y = decltype(y_type);
    using X = decltype(x_type);
    ForElements(stream, y.rows, y.cols, InEights(y) && InEights(gate) && InEights(up),
                SwiGlu<Y, X>{ViewOf<Y>(y), ViewOf<const X>(gate), ViewOf<const X>(up), factor});
  });
}

void CudaBlend(cudaStream_t stream, const Tensor& y, const Tensor& x, float keep, float factor) {
  WithTypes(y, x, [&](auto y_type, auto x_type) {
    using Y = decltype(y_type);
    using X = decltype(x_type);
    ForElements(stream, y.rows, y.cols, InEights(y) && InEights(x),
                Blend<Y, X>{ViewOf<Y>(y), ViewOf<const X>(x), keep, factor});
  });
}

void CudaAddBias(cudaStream_t stream, const Tensor& y, const float* bias) {
  WithType(y.dtype, [&](auto type) {
    using Y = decltype(type);
    ForElements(stream, y.rows, y.cols, InEights(y) && VectorInEights(bias),
                AddBias<Y>{ViewOf<Y>(y), bias});
  });
}

void CudaScaleShift(cudaStream_t stream, const Tensor& y, const Tensor& x, const Tensor& factors) {
  CHECK(factors.dtype == DType::kF32);
  WithTypes(y, x, [&](auto y_type, auto x_type) {
    using Y = decltype(y_type);
    using X = decltype(x_type);
    ForElements(stream, y.rows, y.cols, InEights(y) && InEights(x) && InEights(factors),
                ScaleShift<Y, X>{ViewOf<Y>(y), ViewOf<const X>(x), ViewOf<const float>(factors)});
  });
}

}  // namespace bagel
