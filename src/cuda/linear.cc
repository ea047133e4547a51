#include "cuda/linear.h"

#include <algorithm>

#include "cuda/gemm.h"
#include "cuda/gemv.h"
#include "cuda/row_ops.h"
#include "cuda/unpack.h"

namespace bagel {
namespace {

// Bytes of a weight that are unpacked at once for cuBLAS: the decoder's largest, 18944 x 3584, fits
// whole. A product of few columns leaves multiprocessors idle in its last turn.
constexpr int64_t kSliceBytes = int64_t{130} << 20;
// Slices begin at multiples of this, where cuBLAS has aligned columns of y and whole tiles.
constexpr int64_t kSliceStep = 128;
// Rows from which a weight is unpacked for the product: reading and writing it takes as long as
// multiplying about a hundred rows.
constexpr int64_t kManyRows = 256, kManyRowsOfCublas = 128;
// Rows of a product with f16 results through cuBLAS, which for twice as many takes other kernels: a
// picture took 1 % longer with them.
constexpr int64_t kRowsOfCublas = 4096;
constexpr int kTuring = 75;

// Columns of x and a weight as f16 are padded to a multiple of this.
constexpr int64_t kColumnStep = 16;

constexpr int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

size_t HalfBytes(int64_t rows, int64_t columns) {
  constexpr int64_t kAlignment = 256;
  return static_cast<size_t>(
      RoundUp(rows * columns * static_cast<int64_t>(sizeof(uint16_t)), kAlignment));
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
  const bool stored = StoredGemmTakes(weight);
  const int64_t columns = stored ? weight.in : RoundUp(weight.in, kColumnStep);
  const bool copies = !GemmTakesRows(x) || columns != x.cols;
  Tensor input = x;
  if (copies) input = {nullptr, DType::kF16, x.rows, columns, columns};
  const bool gemv = x.rows <= (context_.HasMma() ? 2 : 1) * kGemvRows && GemvTakes(input, weight);
  const bool unpacks = !stored || x.rows >= (cublas_ ? kManyRowsOfCublas : kManyRows);

  const size_t copy_bytes = copies ? HalfBytes(x.rows, columns) : 0;
  size_t bytes = copy_bytes;
  if (unpacks && !(stored && weight.format == WeightFormat::kF16))
    bytes += HalfBytes(SliceRows(weight.out, columns), columns);
  char* scratch = bytes > 0 ? static_cast<char*>(context_.Scratch(bytes)) : nullptr;
  if (copies) {
    input.data = scratch;
    if (columns == x.cols)
      CudaBlend(context_.stream(), input, x, 0.0f, 1.0f);
    else
      UnpackRows(context_.stream(), input, x);
  }

  void* memory = scratch + copy_bytes;
  if (gemv)
    Gemv(context_, y, input, weight, add, scale);
  else if (unpacks)
    RunUnpacked(y, input, weight, add, scale, memory);
  else
    StoredGemm(context_, y, input, weight, add, scale);
}

void CudaLinear::RunUnpacked(const Tensor& y, const Tensor& x, const Weight& weight, bool add,
                             float scale, void* values) {
  if (weight.format == WeightFormat::kF16 && StoredGemmTakes(weight))
    return RunDense(y, x, weight.data, weight.bias, add, scale);
  const int64_t slice = SliceRows(weight.out, x.cols);
  for (int64_t first = 0; first < weight.out; first += slice) {
    const int64_t count = std::min(slice, weight.out - first);
    UnpackWeight(context_.stream(), {values, DType::kF16, count, x.cols, x.cols}, weight, first);
    RunDense(y.Cols(first, count), x, values,
             weight.bias != nullptr ? weight.bias + first : nullptr, add, scale);
  }
}

void CudaLinear::RunDense(const Tensor& y, const Tensor& x, const void* values, const float* bias,
                          bool add, float scale) {
  if (cublas_ == nullptr) return DenseGemm(context_, y, x, values, bias, add, scale);
  const int64_t parts = y.dtype == DType::kF16 ? std::max<int64_t>(1, x.rows / kRowsOfCublas) : 1;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t first = x.rows * part / parts, rows = x.rows * (part + 1) / parts - first;
    cublas_->Multiply(y.Rows(first, rows), x.Rows(first, rows), values, add, scale);
  }
  if (bias != nullptr) CudaAddBias(context_.stream(), y, bias);
}

}  // namespace bagel
