#include "cuda/attention.h"

#include "cuda/attention_hopper.h"
#include "cuda/attention_mma.h"
#include "cuda/attention_plain.h"
#include "cuda/attention_wide.h"
#include "cuda/attention_wmma.h"
#include "cuda/kv_unpack.h"
#include "cuda/row_ops.h"

namespace bagel {
namespace {

// Whether rows and heads can be read 16 bytes at a time.
bool IsAligned(const Tensor& tensor, int64_t head_dim) {
  const auto row_bytes = tensor.stride * static_cast<int64_t>(DTypeSize(tensor.dtype));
  return head_dim % 8 == 0 && row_bytes % 16 == 0 &&
         reinterpret_cast<uintptr_t>(tensor.data) % 16 == 0;
}

size_t F16Bytes(const Tensor& tensor) {
  return static_cast<size_t>(tensor.rows * tensor.cols) * sizeof(uint16_t);
}

// `x` as dense f16 at `memory`.
Tensor ToF16(cudaStream_t stream, const Tensor& x, void* memory) {
  const Tensor copy{memory, DType::kF16, x.rows, x.cols, x.cols};
  CudaBlend(stream, copy, x, 0.0f, 1.0f);
  return copy;
}

}  // namespace

void CudaAttention::Attend(const Tensor& y, const Tensor& q, const KvLayer& cache,
                           const StepTables& tables) {
  constexpr int64_t kTensorCoreHead = 128;
  const bool packed = cache.dtype == DType::kI8;
  // A recorded step, of single rows, is repeated with other numbers of pages than were unpacked.
  if (cache.head_dim != kTensorCoreHead || !IsAligned(y, cache.head_dim) || context_.IsTuring() ||
      (packed && tables.single_rows))
    return AttendPlain(context_.stream(), y, q, cache, tables);
  const bool usable = q.dtype == DType::kF16 && IsAligned(q, cache.head_dim);
  const size_t query_bytes = usable ? 0 : F16Bytes(q);  // a multiple of 256, as heads are
  auto* memory = static_cast<char*>(
      context_.Scratch(query_bytes + (packed ? UnpackedBytes(cache, tables) : 0)));
  const Tensor queries = usable ? q : ToF16(context_.stream(), q, memory);
  const UnpackedPages pages =
      packed ? UnpackPages(context_.stream(), cache, tables, memory + query_bytes)
             : UnpackedPages{cache, tables};
  if (!context_.HasHopper())
    return (context_.HasMma() ? AttendMma : AttendWmma)(context_.stream(), y, queries, pages.cache,
                                                        pages.tables);
  // Maps may move, which a recorded step does not learn.
  const KvTileMaps* maps = tables.single_rows ? nullptr : maps_.Of(pages.cache);
  AttendHopper(context_.stream(), y, queries, pages.cache, pages.tables, maps);
}

void CudaAttention::AttendFull(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                               int64_t heads) {
  constexpr int64_t kLargestHead = 128, kLargestWideHead = 512, kLargestOnTuring = 80;
  const int64_t head_dim = q.cols / heads;
  const int64_t largest = context_.IsTuring() ? kLargestOnTuring : kLargestWideHead;
  if (head_dim > largest || !IsAligned(y, head_dim))
    return AttendFullPlain(context_.stream(), y, q, k, v, heads);
  const auto usable = [&](const Tensor& x) {
    return x.dtype == DType::kF16 && x.stride == k.stride && IsAligned(x, head_dim);
  };
  const auto attend = head_dim > kLargestHead ? AttendFullWide
                      : context_.HasHopper()  ? AttendFullHopper
                      : context_.HasMma()     ? AttendFullMma
                                              : AttendFullWmma;
  if (usable(q) && usable(k) && usable(v)) return attend(context_.stream(), y, q, k, v, heads);
  auto* memory = static_cast<char*>(context_.Scratch(3 * F16Bytes(q)));
  attend(context_.stream(), y, ToF16(context_.stream(), q, memory),
         ToF16(context_.stream(), k, memory + F16Bytes(q)),
         ToF16(context_.stream(), v, memory + 2 * F16Bytes(q)), heads);
}

}  // namespace bagel
