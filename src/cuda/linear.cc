#include "cuda/linear.h"

#include <algorithm>

#include "cuda/gemm.h"
#include "cuda/gemv.h"
#include "cuda/linear_plain.h"
#include "cuda/row_ops.h"

namespace bagel {
namespace {

// Bytes of a weight that are unpacked at once for cuBLAS: the decoder's largest, 18944 x 3584, fits
// whole. A product of few columns leaves multiprocessors idle in its last turn.
constexpr int64_t kSliceBytes = int64_t{130} << 20;
// Slices begin at multiples of this, where cuBLAS has aligned columns of y and whole tiles.
constexpr int64_t kSliceStep = 128;
// Rows up to which reading the weight once for every few of them is the fastest: cuBLAS needs it
// unpacked, which costs as much as reading it about four times, and this room's own product of many
// rows fills the card with large tiles only.
constexpr int64_t kFewRows = 32, kFewRowsAlone = 64;
// Rows from which the room's own product is faster from an unpacked weight.
constexpr int64_t kManyRows = 256;
constexpr int kTuring = 75;

// What x takes as f16, in units that keep what follows aligned; nothing where it is f16.
size_t CopyBytes(const Tensor& x) {
  constexpr size_t kAlignment = 256;
  if (x.dtype == DType::kF16) return 0;
  const auto bytes = static_cast<size_t>(x.rows * x.cols) * sizeof(uint16_t);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// Rows of a weight [out, in] that are unpacked at once: about equal parts, each in kSliceBytes.
int64_t SliceRows(int64_t out, int64_t in) {
  const int64_t fit = kSliceBytes / (in * static_cast<int64_t>(sizeof(uint16_t)));
  if (fit >= out) return out;
  if (fit < kSliceStep) return std::max<int64_t>(1, fit);
  const int64_t most = fit / kSliceStep * kSliceStep, parts = (out + most - 1) / most;
  return ((out + parts - 1) / parts + kSliceStep - 1) / kSliceStep * kSliceStep;
}

}  // namespace

CudaLinear::CudaLinear(CudaContext& context) : context_(context) {
  if (!context.own_kernels_only() && context.capability() >= kTuring)
    cublas_ = Cublas::Load(context.stream());
}

void CudaLinear::Run(const Tensor& y, const Tensor& x, const Weight& weight, bool add,
                     float scale) {
  const bool few = x.rows <= (cublas_ ? kFewRows : kFewRowsAlone);
  const bool unpacks = cublas_ ? !few : x.rows >= kManyRows;
  const size_t copy_bytes = CopyBytes(x);
  Tensor input = x;
  if (copy_bytes > 0 || unpacks) {
    void* memory =
        context_.Scratch(copy_bytes + (unpacks ? static_cast<size_t>(kSliceBytes) : size_t{0}));
    if (copy_bytes > 0) {
      input = {memory, DType::kF16, x.rows, x.cols, x.cols};
      CudaBlend(context_.stream(), input, x, 0.0f, 1.0f);
    }
  }
  if (few && GemvTakes(input, weight)) return Gemv(context_, y, input, weight, add, scale);
  if (!GemmTakes(input, weight)) return LinearPlain(context_.stream(), y, x, weight, add, scale);
  if (unpacks) return RunUnpacked(y, input, weight, add, scale, copy_bytes);
  Gemm(context_.stream(), y, input, weight, add, scale);
}

void CudaLinear::RunUnpacked(const Tensor& y, const Tensor& x, const Weight& weight, bool add,
                             float scale, size_t copy_bytes) {
  if (weight.format == WeightFormat::kF16) return Multiply(y, x, weight, add, scale);
  const int64_t slice = SliceRows(weight.out, weight.in);
  auto* values =
      static_cast<char*>(context_.Scratch(copy_bytes + static_cast<size_t>(kSliceBytes))) +
      copy_bytes;
  for (int64_t first = 0; first < weight.out; first += slice) {
    const int64_t count = std::min(slice, weight.out - first);
    UnpackWeight(context_.stream(), values, weight, first, count);
    const Weight part{WeightFormat::kF16,
                      count,
                      weight.in,
                      values,
                      nullptr,
                      weight.bias == nullptr ? nullptr : weight.bias + first};
    Multiply(y.Cols(first, count), x, part, add, scale);
  }
}

void CudaLinear::Multiply(const Tensor& y, const Tensor& x, const Weight& weight, bool add,
                          float scale) {
  if (cublas_ == nullptr) return Gemm(context_.stream(), y, x, weight, add, scale);
  cublas_->Multiply(y, x, weight.data, add, scale);
  if (weight.bias != nullptr) CudaAddBias(context_.stream(), y, weight.bias);
}

}  // namespace bagel
