#include "cuda/kv_pages.cuh"
#include "cuda/kv_unpack.h"
#include "cuda/launch.h"

namespace bagel {
namespace {

constexpr unsigned kThreads = 256;

// Grid: pages, kv heads, keys and values. numbers[i] = i.
__global__ void UnpackPagesKernel(__half* __restrict__ k, __half* __restrict__ v,
                                  int32_t* __restrict__ numbers, KvPagesOf<int8_t> cache,
                                  const int32_t* __restrict__ pages) {
  using Chunk = KvChunk<int8_t>;
  constexpr int kTokens = static_cast<int>(kKvPageTokens);
  const int index = static_cast<int>(blockIdx.x), head = static_cast<int>(blockIdx.y);
  const bool is_k = blockIdx.z == 0;
  int8_t* page = is_k ? cache.KeyPage(pages[index]) : cache.ValuePage(pages[index]);
  __half* to = (is_k ? k : v) +
               (static_cast<int64_t>(index) * cache.kv_heads + head) * kTokens * cache.head_dim;
  const int chunks = cache.head_dim / Chunk::kValues;
  for (int i = static_cast<int>(threadIdx.x); i < kTokens * chunks;
       i += static_cast<int>(blockDim.x))
    Chunk::Load(cache.Row(page, head, i / chunks), i % chunks).Store(to + i * Chunk::kValues);
  if (is_k && head == 0 && threadIdx.x == 0) numbers[index] = index;
}

// The layer of the unpacked pages, without memory.
KvLayer UnpackedLayer(const KvLayer& cache, const StepTables& tables) {
  return {nullptr, nullptr, DType::kF16, tables.page_count, cache.kv_heads, cache.head_dim};
}

}  // namespace

UnpackedPages UnpackPages(cudaStream_t stream, const KvLayer& cache, const StepTables& tables,
                          void* memory) {
  CHECK(cache.head_dim % KvChunk<int8_t>::kValues == 0);
  UnpackedPages unpacked{UnpackedLayer(cache, tables), tables};
  const int64_t bytes = tables.page_count * unpacked.cache.PageBytes();
  auto* numbers = reinterpret_cast<int32_t*>(static_cast<char*>(memory) + 2 * bytes);
  unpacked.cache.k = memory;
  unpacked.cache.v = static_cast<char*>(memory) + bytes;
  unpacked.tables.pages = numbers;
  const dim3 grid(static_cast<unsigned>(tables.page_count), static_cast<unsigned>(cache.kv_heads),
                  2);
  Launch(stream, {grid, dim3(kThreads)}, UnpackPagesKernel, static_cast<__half*>(unpacked.cache.k),
         static_cast<__half*>(unpacked.cache.v), numbers, PagesOf<int8_t>(cache), tables.pages);
  return unpacked;
}

size_t UnpackedBytes(const KvLayer& cache, const StepTables& tables) {
  const int64_t page = 2 * UnpackedLayer(cache, tables).PageBytes();
  return static_cast<size_t>(tables.page_count) * (static_cast<size_t>(page) + sizeof(int32_t));
}

}  // namespace bagel
