#include <algorithm>
#include <memory>

#include "cuda/cublas.h"
#include "cuda/gemm.h"
#include "cuda/launch.h"
#include "cuda/roofs.h"
#include "cuda/values.cuh"

namespace bagel {
namespace {

constexpr unsigned kThreads = 512;
constexpr int kRounds = 8;

// Sums that nobody needs, so that the reads stay.
__global__ void ReadKernel(unsigned* result, const uint4* data, int64_t count) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  unsigned sum = 0;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += 4 * step) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (i + j * step >= count) continue;
      const uint4 value = data[i + j * step];
      sum += value.x ^ value.y ^ value.z ^ value.w;
    }
  }
  if (sum == 0x12345678u) *result = sum;
}

// Values about -1 to 1 that look random: zeros would let the card run faster than it does.
__global__ void FillKernel(__half* values, int64_t count) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const unsigned hash = static_cast<unsigned>(i) * 2654435761u;
  values[i] = __float2half_rn(static_cast<float>(hash >> 8) / 8388608.0f - 1.0f);
}

// The shortest of several runs of `work`, in seconds.
template <typename Work>
double BestSeconds(cudaStream_t stream, const Work& work) {
  cudaEvent_t begin = nullptr, end = nullptr;
  CUDA_CHECK(cudaEventCreateWithFlags(&begin, cudaEventDefault));
  CUDA_CHECK(cudaEventCreateWithFlags(&end, cudaEventDefault));
  float best = INFINITY;
  for (int round = 0; round < kRounds; ++round) {
    CUDA_CHECK(cudaEventRecord(begin, stream));
    work();
    CUDA_CHECK(cudaEventRecord(end, stream));
    CUDA_CHECK(cudaEventSynchronize(end));
    float milliseconds = 0;
    CUDA_CHECK(cudaEventElapsedTime(&milliseconds, begin, end));
    best = std::min(best, milliseconds);
  }
  CUDA_CHECK(cudaEventDestroy(begin));
  CUDA_CHECK(cudaEventDestroy(end));
  return static_cast<double>(best) / 1e3;
}

double MeasureRead(CudaContext& context) {
  size_t free_bytes = 0, total = 0;
  CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total));
  const size_t bytes = std::min(size_t{1} << 30, free_bytes / 4) / 4096 * 4096;
  DeviceBuffer buffer;
  const auto* data = static_cast<const uint4*>(buffer.Reserve(bytes));
  auto* result = static_cast<unsigned*>(context.Scratch(sizeof(unsigned)));
  const auto blocks = static_cast<unsigned>(4 * context.multiprocessors());
  const double seconds = BestSeconds(context.stream(), [&] {
    Launch(context.stream(), {dim3(blocks), dim3(kThreads)}, ReadKernel, result, data,
           static_cast<int64_t>(bytes / sizeof(uint4)));
  });
  return static_cast<double>(bytes) / seconds;
}

double MeasureFlops(CudaContext& context) {
  constexpr int64_t kSide = 8192, kCount = kSide * kSide;
  DeviceBuffer buffers[3];
  Tensor tensors[3];
  for (int i = 0; i < 3; ++i) {
    tensors[i] = {buffers[i].Reserve(kCount * sizeof(__half)), DType::kF16, kSide, kSide, kSide};
    Launch(context.stream(), {dim3(static_cast<unsigned>(kCount / kThreads)), dim3(kThreads)},
           FillKernel, static_cast<__half*>(tensors[i].data), kCount);
  }
  const Tensor &y = tensors[0], &x = tensors[1], &w = tensors[2];
  const std::unique_ptr<Cublas> cublas = Cublas::Load(context.stream());
  const double seconds = BestSeconds(context.stream(), [&] {
    if (cublas != nullptr)
      cublas->Multiply(y, x, w.data, /*add=*/false, 1.0f);
    else
      DenseGemm(context, y, x, w.data, /*bias=*/nullptr, /*add=*/false, 1.0f);
  });
  return 2.0 * static_cast<double>(kSide) * static_cast<double>(kCount) / seconds;
}

}  // namespace

int CompiledCapability() {
  cudaFuncAttributes attributes{};
  CUDA_CHECK(cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(ReadKernel)));
  return attributes.ptxVersion;
}

Roofs MeasureCudaRoofs(CudaContext& context) {
  Roofs roofs;
  roofs.read_bytes_per_second = MeasureRead(context);
  roofs.exact_flops = roofs.fast_flops = MeasureFlops(context);
  return roofs;
}

}  // namespace bagel
