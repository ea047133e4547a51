#include <algorithm>
#include <type_traits>

#include "base/error.h"
#include "cuda/launch.h"
#include "cuda/place.h"
#include "cuda/values.cuh"

namespace bagel {
namespace {

constexpr unsigned kThreads = 256;

// Stored elements of 16 or 32 bits as f32.
__device__ inline float StoredValue(float value) { return value; }
__device__ inline float StoredValue(uint16_t bf16) {
  return __uint_as_float(static_cast<unsigned>(bf16) << 16);
}

// Sets *beyond where the value is not finite or too large for f16.
__device__ inline void StoreF16(__half* y, float value, int* beyond) {
  if (!(fabsf(value) < 65520.0f)) *beyond = 1;  // what rounds to 65504 at most
  *y = __float2half_rn(value);
}

template <typename Stored>
__global__ void ToF16Kernel(__half* y, const Stored* x, int64_t count, int* beyond) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) StoreF16(&y[i], StoredValue(x[i]), beyond);
}

// Nf4Absmax of every block.
__global__ void AbsmaxKernel(__half* y, const uint8_t* codes, const float* nested, const float* map,
                             float offset, int64_t blocks, int* beyond) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= blocks) return;
  const float value = __fadd_rn(__fmul_rn(map[codes[i]], nested[i / kNf4NestedBlock]), offset);
  StoreF16(&y[i], value, beyond);
}

dim3 BlocksFor(int64_t count) {
  return dim3(static_cast<unsigned>((count + kThreads - 1) / kThreads));
}

class Placer {
 public:
  Placer(CudaContext& context, Uploader& uploader, WeightMemory& memory)
      : context_(context), uploader_(uploader), memory_(memory) {}

  template <typename T>
  const T* Copy(const void* host, int64_t count) {
    T* device = Take<T>(count);
    uploader_.Upload(device, host, static_cast<size_t>(count) * sizeof(T));
    return device;
  }

  template <typename Stored>
  const void* ToF16(const void* host, int64_t count, const std::string& name) {
    auto* values = Take<__half>(count);
    constexpr auto kChunk = static_cast<int64_t>(Uploader::kSlotBytes / sizeof(Stored));
    auto* beyond = static_cast<int*>(context_.Scratch(kFlagBytes + Uploader::kSlotBytes));
    auto* stored = reinterpret_cast<Stored*>(reinterpret_cast<char*>(beyond) + kFlagBytes);
    CUDA_CHECK(cudaMemsetAsync(beyond, 0, sizeof(int), context_.stream()));
    for (int64_t first = 0; first < count; first += kChunk) {
      const int64_t part = std::min(kChunk, count - first);
      uploader_.Upload(stored, static_cast<const Stored*>(host) + first,
                       static_cast<size_t>(part) * sizeof(Stored));
      Launch(context_.stream(), {BlocksFor(part), dim3(kThreads)}, ToF16Kernel<Stored>,
             values + first, stored, part, beyond);
    }
    CheckInF16(beyond, name);
    return values;
  }

  // Magnitudes of an NF4 weight's blocks, in f16: what that rounds is less than what the values
  // lose that are multiplied as f16.
  const void* Magnitudes(const Nf4Scales& host, int64_t count, const std::string& name) {
    const int64_t blocks = Nf4Blocks(count);
    if (host.absmax != nullptr) return ToF16<float>(host.absmax, blocks, name);
    const int64_t nested = Nf4NestedBlocks(blocks);
    constexpr int64_t kMap = 256;
    auto* values = Take<__half>(blocks);
    auto* beyond = static_cast<int*>(
        context_.Scratch(kFlagBytes + static_cast<size_t>((kMap + nested) * 4 + blocks)));
    auto* map = reinterpret_cast<float*>(reinterpret_cast<char*>(beyond) + kFlagBytes);
    float* outer = map + kMap;
    auto* codes = reinterpret_cast<uint8_t*>(outer + nested);
    CUDA_CHECK(cudaMemsetAsync(beyond, 0, sizeof(int), context_.stream()));
    uploader_.Upload(map, host.nested_map, kMap * sizeof(float));
    uploader_.Upload(outer, host.nested_absmax, static_cast<size_t>(nested) * sizeof(float));
    uploader_.Upload(codes, host.codes, static_cast<size_t>(blocks));
    Launch(context_.stream(), {BlocksFor(blocks), dim3(kThreads)}, AbsmaxKernel, values, codes,
           outer, map, host.nested_offset, blocks, beyond);
    CheckInF16(beyond, name);
    return values;
  }

 private:
  static constexpr size_t kFlagBytes = 256;

  void CheckInF16(const int* beyond, const std::string& name) {
    int found = 0;
    CUDA_CHECK(
        cudaMemcpyAsync(&found, beyond, sizeof(int), cudaMemcpyDeviceToHost, context_.stream()));
    context_.Wait();
    if (found != 0)
      throw Error(ErrorKind::kUnsupported,
                  "tensor " + name + " holds a value beyond 65504, which f16 cannot hold");
  }

  template <typename T>
  T* Take(int64_t count) {
    return static_cast<T*>(memory_.Take(static_cast<size_t>(count) * sizeof(T)));
  }

  CudaContext& context_;
  Uploader& uploader_;
  WeightMemory& memory_;
};

}  // namespace

Weight PlaceWeight(CudaContext& context, Uploader& uploader, const Weight& host,
                   const std::string& name, WeightMemory& memory) {
  Placer placer(context, uploader, memory);
  const int64_t count = host.out * host.in;
  Weight weight = host;
  switch (host.format) {
    case WeightFormat::kF32:
      weight.data = placer.ToF16<float>(host.data, count, name);
      weight.format = WeightFormat::kF16;
      break;
    case WeightFormat::kBF16:
      weight.data = placer.ToF16<uint16_t>(host.data, count, name);
      weight.format = WeightFormat::kF16;
      break;
    case WeightFormat::kF16:
      weight.data = placer.Copy<uint16_t>(host.data, count);
      break;
    case WeightFormat::kInt8Block64:
      weight.data = placer.Copy<int8_t>(host.data, count);
      weight.scales = placer.Copy<uint16_t>(host.scales, host.out * ScaleBlocks(host.in));
      break;
    case WeightFormat::kNf4:
      weight.data = placer.Copy<uint8_t>(host.data, (count + 1) / 2);
      weight.scales = placer.Magnitudes(host.nf4, count, name);
      weight.nf4 = {};
      weight.nf4.map = placer.Copy<float>(host.nf4.map, 16);
      break;
  }
  return weight;
}

}  // namespace bagel
