#include "cpu/conv.h"

#include <algorithm>
#include <cstring>

#include "cpu/plain_rows.h"
#include "cpu/row_ops.h"
#include "cpu/tile.h"
#include "cpu/weights.h"

namespace bagel {
namespace {

// Activated input pixels of one band; the rows of a band are as many as fit, at least one.
constexpr int64_t kBandBytes = int64_t{8} << 20;
// Pixels of one task: all of the kernel passes by them once, from the shared cache.
constexpr int64_t kTaskGroups = 8;
// Outputs whose part of the kernel stays in the second-level cache while the groups pass by.
constexpr int64_t kOutputBlock = 48;

// Columns [first, first + count) of a kernel's row, as MultiplyRows reads them.
void StoreKernelRow(const float* values, int64_t count, int64_t row, int64_t first, int64_t k,
                    float* w) {
  std::copy_n(values, count, w + row * RowStrideF32(k) + first);
}
void StoreKernelRow(const float* values, int64_t count, int64_t row, int64_t first, int64_t k,
                    uint16_t* w) {
  const RowsBF16 tiled = RowsBF16::Tiled(w, k);
  for (int64_t i = 0; i < count; i += 32)
    ConvertToBF16(values + i, 32, w + tiled.Offset(row, first + i));
}

int64_t Stride(const ConvGeometry& geometry) {
  return geometry.sampling == ConvSampling::kDown ? 2 : 1;
}

// Pixels of a band's row: the input's, enlarged where it says so, and one pixel of padding on each
// side; kDown pads on the right alone.
int64_t BandWidth(const ConvGeometry& geometry) {
  return geometry.width * (geometry.sampling == ConvSampling::kUp ? 2 : 1) + 2;
}

// The band's rows for `rows` output rows.
int64_t BandRows(const ConvGeometry& geometry, int64_t rows) {
  return (rows - 1) * Stride(geometry) + 3;
}

}  // namespace

CpuConv::CpuConv(ThreadPool& pool, bool bf16_products)
    : pool_(pool), bf16_products_(bf16_products), threads_(static_cast<size_t>(pool.threads())) {}

void CpuConv::Run(const Tensor& y, const Tensor& x, const Weight& weight,
                  const ConvGeometry& geometry, const Tensor& factors, bool add) {
  if (bf16_products_)
    RunBands<uint16_t>(y, x, weight, geometry, factors, add);
  else
    RunBands<float>(y, x, weight, geometry, factors, add);
}

template <typename T>
void CpuConv::RunBands(const Tensor& y, const Tensor& x, const Weight& weight,
                       const ConvGeometry& geometry, const Tensor& factors, bool add) {
  const T* w = PrepareWeight<T>(weight, x.cols);
  const int64_t width = geometry.OutputWidth(), all_rows = y.rows / width;
  const int64_t row_bytes = BandWidth(geometry) * x.cols * static_cast<int64_t>(sizeof(float));
  const int64_t band = std::max<int64_t>(1, (kBandBytes / row_bytes - 2) / Stride(geometry));
  for (int64_t row = 0; row < all_rows; row += band) {
    const int64_t rows = std::min(band, all_rows - row);
    FillBand(x, geometry, factors, geometry.first_output + row, rows);
    Multiply(y.Rows(row * width, rows * width), w, weight, geometry, x.cols, rows, add);
  }
}

// The kernel as rows [9][padded channels].
template <typename T>
const T* CpuConv::PrepareWeight(const Weight& weight, int64_t channels) {
  const int64_t padded = PadK(T(), channels), k = 9 * padded;
  T* w = weight_.Get<T>(RowsSize(T(), weight.out, k));
  pool_.ParallelFor(weight.out, [&](int64_t out, int) {
    std::vector<float> values(static_cast<size_t>(padded));
    for (int64_t tap = 0; tap < 9; ++tap) {
      UnpackColumns(weight, out, tap * channels, channels, values.data());
      StoreKernelRow(values.data(), padded, out, tap * padded, k, w);
    }
  });
  return w;
}

// act(x) for `rows` output rows from first_row on, with zeros as padding.
void CpuConv::FillBand(const Tensor& x, const ConvGeometry& geometry, const Tensor& factors,
                       int64_t first_row, int64_t rows) {
  const bool down = geometry.sampling == ConvSampling::kDown;
  const int64_t factor = geometry.sampling == ConvSampling::kUp ? 2 : 1;
  const int64_t channels = x.cols, row_size = BandWidth(geometry) * channels;
  const int64_t first = down ? 2 * first_row : first_row - 1;
  float* band = band_.Get<float>(BandRows(geometry, rows) * row_size);
  pool_.ParallelFor(BandRows(geometry, rows), [&](int64_t index, int) {
    float* to = band + index * row_size;
    const int64_t row = first + index;
    if (row < 0 || row >= factor * geometry.height) {
      std::fill_n(to, row_size, 0.0f);
      return;
    }
    float* const end = to + row_size;
    const int64_t left = down ? 0 : 1, columns = factor * geometry.width;
    std::fill_n(to, left * channels, 0.0f);
    to += left * channels;
    const int64_t from = (row / factor - geometry.first_input) * geometry.width;
    for (int64_t column = 0; column < columns; ++column, to += channels) {
      const float* pixel = x.f32(from + column / factor);
      if (column % factor == 1)
        std::copy_n(to - channels, channels, to);
      else if (factors.rows == 0)
        std::copy_n(pixel, channels, to);
      else
        ScaleShiftRow(to, pixel, factors.f32(0), factors.f32(1), channels);
      if (factors.rows > 0 && column % factor == 0) SiluRow(to, channels);
    }
    std::fill(to, end, 0.0f);
  });
}

// y (+)= the kernel times the band.
template <typename T>
void CpuConv::Multiply(const Tensor& y, const T* w, const Weight& weight,
                       const ConvGeometry& geometry, int64_t channels, int64_t rows, bool add) {
  const int64_t width = geometry.OutputWidth(), stride = Stride(geometry);
  const int64_t row_size = BandWidth(geometry) * channels;
  const float* band = band_.Get<float>(0);
  const int64_t padded = PadK(T(), channels), k = 9 * padded;
  constexpr int64_t kPixels = kTaskGroups * kGroup;
  const int64_t row_tasks = (width + kPixels - 1) / kPixels;
  pool_.ParallelFor(rows * row_tasks, [&](int64_t task, int thread) {
    PerThread& scratch = threads_[static_cast<size_t>(thread)];
    const int64_t row = task / row_tasks, first = task % row_tasks * kPixels;
    const int64_t pixels = std::min(kPixels, width - first);
    const int64_t groups = (pixels + kGroup - 1) / kGroup;
    T* packed = scratch.packed.template Get<T>(groups * kGroup * k);
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t column = first + group * kGroup;
      for (int64_t tap = 0; tap < 9; ++tap) {
        const float* from =
            band + (row * stride + tap / 3) * row_size + (column * stride + tap % 3) * channels;
        PackGroup(from, stride * channels, std::min(kGroup, width - column), channels,
                  packed + (group * k + tap * padded) * kGroup);
      }
    }
    const int64_t c_stride = groups * kGroup;
    float* c = scratch.sums.template Get<float>(kOutputBlock * c_stride);
    for (int64_t n = 0; n < weight.out; n += kOutputBlock) {
      const int64_t count = std::min(kOutputBlock, weight.out - n);
      for (int64_t group = 0; group < groups; ++group)
        MultiplyRows(w + RowsSize(T(), n, k), count, k, packed + group * k * kGroup,
                     c + group * kGroup, c_stride);
      TransposeOut(c, c_stride, count, pixels, weight.bias ? weight.bias + n : nullptr, add,
                   y.f32(row * width + first) + n, y.stride);
    }
  });
}

}  // namespace bagel
