#include "cpu/linear.h"

#include <algorithm>
#include <cstring>

#include "cpu/tile.h"
#include "cpu/weights.h"

namespace bagel {
namespace {

// Weight rows of one task. Its rows of the weight stay in the second-level cache while all groups
// of x pass by; the more rows, the less often x is read.
constexpr int64_t TaskRows(float) { return 48; }
constexpr int64_t TaskRows(uint16_t) { return 128; }
// Columns of x and of the weight that are multiplied before the next ones are packed.
constexpr int64_t kColumnBlock = 3584;

}  // namespace

CpuLinear::CpuLinear(ThreadPool& pool, bool bf16_products, bool byte_products)
    : pool_(pool),
      bf16_products_(bf16_products),
      byte_products_(byte_products),
      threads_(static_cast<size_t>(pool.threads())) {}

void CpuLinear::Run(const Tensor& y, const Tensor& x, const Weight& weight, bool add) {
  if (x.rows <= kMaxDotRows) {
    RunFewRows(y, x, weight, add);
  } else if (bf16_products_) {
    RunManyRows<uint16_t>(y, x, weight, add);
  } else {
    RunManyRows<float>(y, x, weight, add);
  }
}

void CpuLinear::RunFewRows(const Tensor& y, const Tensor& x, const Weight& weight, bool add) {
  // About 256 KB of weights a task, in whole blocks of DotRows: short enough to balance the
  // threads.
  const int64_t blocks = (int64_t{1} << 18) / (kDotBlockRows * WeightRowBytes(weight));
  const int64_t rows = kDotBlockRows * std::clamp<int64_t>(blocks, 1, 16);
  const bool nf4 = weight.format == WeightFormat::kNf4 && IsNf4Width(weight.in);
  if (nf4) PackNf4Activations(weight, x.f32(), x.stride, x.rows, byte_products_, nf4_);
  pool_.ParallelFor((weight.out + rows - 1) / rows, [&](int64_t task, int) {
    const int64_t first = task * rows, last = std::min(weight.out, first + rows);
    if (nf4) {
      DotRowsNf4(first, last, nf4_, add, y.f32(), y.stride);
    } else {
      DotRows(weight, first, last, x.f32(), x.stride, x.rows, add, y.f32(), y.stride);
    }
  });
}

template <typename T>
void CpuLinear::RunManyRows(const Tensor& y, const Tensor& x, const Weight& weight, bool add) {
  for (int64_t first = 0; first < weight.in; first += kColumnBlock)
    RunColumnBlock<T>(y, x, weight, add || first > 0, first,
                      std::min(kColumnBlock, weight.in - first));
}

void CpuLinear::UnpackRows(const Weight& weight, int64_t first_row, int64_t rows, int64_t first,
                           int64_t count, PerThread&, float* w) {
  for (int64_t row = 0; row < rows; ++row)
    UnpackColumns(weight, first_row + row, first, count, w + row * RowStrideF32(count));
}

// Tiles of 16 x 32, see RowsBF16.
void CpuLinear::UnpackRows(const Weight& weight, int64_t first_row, int64_t rows, int64_t first,
                           int64_t count, PerThread& scratch, uint16_t* w) {
  const int64_t k = PadKBF16(count);
  const RowsBF16 tiled = RowsBF16::Tiled(w, k);
  auto* exact = scratch.exact.Get<float>(count);
  auto* rounded = scratch.rounded.Get<uint16_t>(k);
  std::fill(rounded + count, rounded + k, uint16_t{0});
  for (int64_t row = 0; row < rows; ++row) {
    const uint16_t* values = rounded;
    if (weight.format == WeightFormat::kBF16 && k == count) {
      values = static_cast<const uint16_t*>(weight.data) + (first_row + row) * weight.in + first;
    } else {
      UnpackColumns(weight, first_row + row, first, count, exact);
      ConvertToBF16(exact, count, rounded);
    }
    uint16_t* tile_row = w + tiled.Offset(row, 0);
    for (int64_t block = 0; block < k / 32; ++block)
      std::memcpy(tile_row + block * tiled.block_stride, values + block * 32,
                  32 * sizeof(uint16_t));
  }
}

template <typename T>
void CpuLinear::RunColumnBlock(const Tensor& y, const Tensor& x, const Weight& weight, bool add,
                               int64_t first, int64_t count) {
  const int64_t k = PadK(T(), count);
  const int64_t groups = (x.rows + kGroup - 1) / kGroup;
  T* packed = packed_.Get<T>(groups * kGroup * k);
  pool_.ParallelFor(groups, [&](int64_t group, int) {
    PackGroup(x.f32(group * kGroup) + first, x.stride, std::min(kGroup, x.rows - group * kGroup),
              count, packed + group * kGroup * k);
  });
  pool_.ParallelFor(
      (weight.out + TaskRows(T()) - 1) / TaskRows(T()), [&](int64_t task, int thread) {
        PerThread& scratch = threads_[static_cast<size_t>(thread)];
        const int64_t n = task * TaskRows(T()), rows = std::min(TaskRows(T()), weight.out - n);
        T* w = scratch.weights.Get<T>(RowsSize(T(), rows, k));
        UnpackRows(weight, n, rows, first, count, scratch, w);
        const int64_t c_stride = groups * kGroup;
        float* c = scratch.sums.Get<float>(rows * c_stride);
        for (int64_t group = 0; group < groups; ++group)
          MultiplyRows(w, rows, k, packed + group * kGroup * k, c + group * kGroup, c_stride);
        const float* bias = weight.bias && first == 0 ? weight.bias + n : nullptr;
        TransposeOut(c, c_stride, rows, x.rows, bias, add, y.f32() + n, y.stride);
      });
}

}  // namespace bagel
