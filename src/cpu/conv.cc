#include "cpu/conv.h"

#include <algorithm>
#include <utility>

#include "cpu/plain_rows.h"
#include "cpu/row_ops.h"
#include "cpu/tile.h"
#include "cpu/weights.h"
#include "cpu/winograd.h"

namespace bagel {
namespace {

// Activated input pixels of one band; the rows of a band are as many as fit, at least two.
constexpr int64_t kBandBytes = int64_t{8} << 20;
// Groups of pixels, or of tiles of them, of one task at most: all of the kernel passes by them
// once, from the shared cache.
constexpr int64_t kTaskGroups = 8;
// Outputs whose part of the kernel stays in the second-level cache while the groups pass by.
constexpr int64_t kOutputBlock = 48;
// Channels of a group of tiles that are transformed before they are packed.
constexpr int64_t kTileChannels = 32;

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

// What an output pixel reads: `taps` x `taps` pixels, the first of them row (or column) First of
// its own. An enlarged picture is never made: of three neighbours in it two are the same pixel, so
// that four kernels of 2 x 2 taps, for even and odd rows and columns, give the same sums.
struct Reading {
  ConvSampling sampling;

  int64_t taps() const { return sampling == ConvSampling::kUp ? 2 : 3; }
  int64_t phases() const { return sampling == ConvSampling::kUp ? 2 : 1; }
  int64_t left_padding() const { return sampling == ConvSampling::kDown ? 0 : 1; }
  int64_t First(int64_t output) const {
    switch (sampling) {
      case ConvSampling::kSame:
        return output - 1;
      case ConvSampling::kDown:
        return 2 * output;
      case ConvSampling::kUp:
        return (output + 1) / 2 - 1;
    }
    return output;
  }
  // Rows of the input for `rows` outputs from `first` on.
  int64_t Rows(int64_t first, int64_t rows) const {
    return First(first + rows - 1) - First(first) + taps();
  }
};

// The taps [first, second) of a 3 x 3 kernel's row or column that tap `tap` stands for, in outputs
// of that phase.
std::pair<int64_t, int64_t> TapsOf(const Reading& reading, int64_t phase, int64_t tap) {
  if (reading.sampling != ConvSampling::kUp) return {tap, tap + 1};
  return tap == 0 ? std::pair<int64_t, int64_t>{0, 1 + phase}
                  : std::pair<int64_t, int64_t>{1 + phase, 3};
}

// One pixel of padding on each side; kDown pads on the right alone, and an odd width leaves one
// more to tiles.
int64_t BandWidth(const ConvGeometry& geometry) { return geometry.width + 2 + geometry.width % 2; }

bool UsesTiles(const Weight& weight, const ConvGeometry& geometry, int64_t channels) {
  constexpr int64_t kLeast = 16;  // below, the transforms cost more than they save
  return geometry.sampling == ConvSampling::kSame && channels >= kLeast && weight.out >= kLeast;
}

// All 9 * channels values of an output's kernel.
void UnpackTaps(const Weight& weight, int64_t out, float* taps) {
  UnpackColumns(weight, out, 0, weight.in, taps);
}

}  // namespace

CpuConv::CpuConv(ThreadPool& pool, bool bf16_products)
    : pool_(pool), bf16_products_(bf16_products), threads_(static_cast<size_t>(pool.threads())) {}

void CpuConv::Run(const Tensor& y, const Tensor& x, const Weight& weight,
                  const ConvGeometry& geometry, const Tensor& factors, bool add) {
  const int64_t channels = x.cols;
  if (!bf16_products_ && UsesTiles(weight, geometry, channels)) {
    const float* w = PrepareTiles(weight, channels);
    ForBands(y, x, geometry, factors, [&](const Tensor& rows, const ConvGeometry& part) {
      MultiplyTiles(rows, w, weight, part, channels, add);
    });
  } else if (bf16_products_) {
    RunTaps<uint16_t>(y, x, weight, geometry, factors, add);
  } else {
    RunTaps<float>(y, x, weight, geometry, factors, add);
  }
}

template <typename T>
void CpuConv::RunTaps(const Tensor& y, const Tensor& x, const Weight& weight,
                      const ConvGeometry& geometry, const Tensor& factors, bool add) {
  const T* w = PrepareTaps<T>(weight, x.cols, geometry.sampling);
  ForBands(y, x, geometry, factors, [&](const Tensor& rows, const ConvGeometry& part) {
    MultiplyTaps(rows, w, weight, part, x.cols, add);
  });
}

// Fills the band for some rows of y after the others and calls multiply(rows of y, their geometry).
template <typename Multiply>
void CpuConv::ForBands(const Tensor& y, const Tensor& x, const ConvGeometry& geometry,
                       const Tensor& factors, const Multiply& multiply) {
  const Reading reading{geometry.sampling};
  const int64_t width = geometry.OutputWidth(), all_rows = y.rows / width;
  const int64_t row_bytes = BandWidth(geometry) * x.cols * static_cast<int64_t>(sizeof(float));
  int64_t band = 2;
  while (band < all_rows && reading.Rows(geometry.first_output, band + 2) * row_bytes <= kBandBytes)
    band += 2;
  for (int64_t row = 0; row < all_rows; row += band) {
    const int64_t rows = std::min(band, all_rows - row);
    ConvGeometry part = geometry;
    part.first_output += row;
    FillBand(x, part, factors, rows);
    multiply(y.Rows(row * width, rows * width), part);
  }
}

// The kernels of all phases, each as rows [taps][taps][padded channels].
template <typename T>
const T* CpuConv::PrepareTaps(const Weight& weight, int64_t channels, ConvSampling sampling) {
  const Reading reading{sampling};
  const int64_t taps = reading.taps(), phases = reading.phases();
  const int64_t padded = PadK(T(), channels), k = taps * taps * padded;
  T* all = weight_.Get<T>(phases * phases * RowsSize(T(), weight.out, k));
  pool_.ParallelFor(weight.out, [&](int64_t out, int) {
    std::vector<float> values(static_cast<size_t>(weight.in)), sum(static_cast<size_t>(padded));
    UnpackTaps(weight, out, values.data());
    for (int64_t phase = 0; phase < phases * phases; ++phase) {
      T* w = all + phase * RowsSize(T(), weight.out, k);
      for (int64_t tap = 0; tap < taps * taps; ++tap) {
        const auto [first_row, last_row] = TapsOf(reading, phase / phases, tap / taps);
        const auto [first_column, last_column] = TapsOf(reading, phase % phases, tap % taps);
        std::fill(sum.begin(), sum.end(), 0.0f);
        for (int64_t row = first_row; row < last_row; ++row) {
          for (int64_t column = first_column; column < last_column; ++column) {
            const float* from = values.data() + (3 * row + column) * channels;
            for (int64_t i = 0; i < channels; ++i) sum[static_cast<size_t>(i)] += from[i];
          }
        }
        StoreKernelRow(sum.data(), padded, out, tap * padded, k, w);
      }
    }
  });
  return all;
}

// The kernel's numbers, each as rows [channels].
const float* CpuConv::PrepareTiles(const Weight& weight, int64_t channels) {
  const int64_t distance = RowsSize(0.0f, weight.out, channels);
  float* w = weight_.Get<float>(kWinogradNumbers * distance);
  pool_.ParallelFor(weight.out, [&](int64_t out, int) {
    std::vector<float> values(static_cast<size_t>(weight.in));
    UnpackTaps(weight, out, values.data());
    TransformKernel(values.data(), channels, w + out * RowStrideF32(channels), distance);
  });
  return w;
}

// act(x) for `rows` output rows, with zeros as padding, and a row more that only an odd number of
// rows leaves to tiles.
void CpuConv::FillBand(const Tensor& x, const ConvGeometry& geometry, const Tensor& factors,
                       int64_t rows) {
  const Reading reading{geometry.sampling};
  const int64_t channels = x.cols, row_size = BandWidth(geometry) * channels;
  const int64_t first = reading.First(geometry.first_output);
  const int64_t band_rows = reading.Rows(geometry.first_output, rows + rows % 2);
  float* band = band_.Get<float>(band_rows * row_size);
  pool_.ParallelFor(band_rows, [&](int64_t index, int) {
    float* to = band + index * row_size;
    float* const end = to + row_size;
    const int64_t row = first + index, from = (row - geometry.first_input) * geometry.width;
    if (row < 0 || from < 0 || from >= x.rows) return std::fill(to, end, 0.0f);
    to = std::fill_n(to, reading.left_padding() * channels, 0.0f);
    for (int64_t column = 0; column < geometry.width; ++column, to += channels) {
      const float* pixel = x.f32(from + column);
      if (factors.rows == 0) {
        std::copy_n(pixel, channels, to);
      } else {
        ScaleShiftRow(to, pixel, factors.f32(0), factors.f32(1), channels);
        SiluRow(to, channels);
      }
    }
    std::fill(to, end, 0.0f);
  });
}

// y (+)= the kernels times the band.
template <typename T>
void CpuConv::MultiplyTaps(const Tensor& y, const T* w, const Weight& weight,
                           const ConvGeometry& geometry, int64_t channels, bool add) {
  const Reading reading{geometry.sampling};
  const int64_t taps = reading.taps(), phases = reading.phases();
  const int64_t width = geometry.OutputWidth(), columns = width / phases;
  const int64_t stride = geometry.sampling == ConvSampling::kDown ? 2 : 1;
  const int64_t row_size = BandWidth(geometry) * channels;
  const float* band = band_.Get<float>(0);
  const int64_t padded = PadK(T(), channels), k = taps * taps * padded;
  constexpr int64_t kPixels = kTaskGroups * kGroup;
  const int64_t segments = (columns + kPixels - 1) / kPixels;
  pool_.ParallelFor(y.rows / width * segments * phases, [&](int64_t task, int thread) {
    PerThread& scratch = threads_[static_cast<size_t>(thread)];
    const int64_t row = task / (segments * phases), output_row = geometry.first_output + row;
    const int64_t phase = task % phases, first = task / phases % segments * kPixels;
    const T* kernel = w + (output_row % phases * phases + phase) * RowsSize(T(), weight.out, k);
    const int64_t pixels = std::min(kPixels, columns - first);
    const int64_t groups = (pixels + kGroup - 1) / kGroup;
    T* packed = scratch.packed.template Get<T>(groups * kGroup * k);
    const float* rows =
        band + (reading.First(output_row) - reading.First(geometry.first_output)) * row_size;
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t column = first + group * kGroup;
      for (int64_t tap = 0; tap < taps * taps; ++tap) {
        const float* from =
            rows + tap / taps * row_size + (column * stride + phase + tap % taps) * channels;
        PackGroup(from, stride * channels, std::min(kGroup, columns - column), channels,
                  packed + (group * k + tap * padded) * kGroup);
      }
    }
    const int64_t c_stride = groups * kGroup;
    float* c = scratch.sums.template Get<float>(kOutputBlock * c_stride);
    float* to = y.f32(row * width + first * phases + phase);
    for (int64_t n = 0; n < weight.out; n += kOutputBlock) {
      const int64_t count = std::min(kOutputBlock, weight.out - n);
      for (int64_t group = 0; group < groups; ++group)
        MultiplyRows(kernel + RowsSize(T(), n, k), count, k, packed + group * k * kGroup,
                     c + group * kGroup, c_stride);
      TransposeOut(c, c_stride, count, pixels, weight.bias ? weight.bias + n : nullptr, add, to + n,
                   phases * y.stride);
    }
  });
}

// The same in tiles of 2 x 2 outputs, see winograd.h.
void CpuConv::MultiplyTiles(const Tensor& y, const float* w, const Weight& weight,
                            const ConvGeometry& geometry, int64_t channels, bool add) {
  const int64_t rows = y.rows / geometry.width;
  const int64_t row_tiles = (geometry.width + 1) / 2, tiles = (rows + 1) / 2 * row_tiles;
  const int64_t all_groups = (tiles + kGroup - 1) / kGroup;
  // Some tasks for each thread, so that all end at about the same time.
  const int64_t task_groups =
      std::clamp<int64_t>(all_groups / (4 * pool_.threads()), 1, kTaskGroups);
  pool_.ParallelFor((all_groups + task_groups - 1) / task_groups, [&](int64_t task, int thread) {
    PerThread& scratch = threads_[static_cast<size_t>(thread)];
    const int64_t first = task * task_groups * kGroup;
    const int64_t count = std::min(task_groups * kGroup, tiles - first);
    const int64_t groups = (count + kGroup - 1) / kGroup;
    const float* packed = PackTiles(geometry, channels, first, count, scratch);
    const int64_t c_stride = groups * kGroup, distance = kOutputBlock * c_stride;
    float* c = scratch.sums.Get<float>(kWinogradNumbers * distance);
    for (int64_t n = 0; n < weight.out; n += kOutputBlock) {
      const int64_t outputs = std::min(kOutputBlock, weight.out - n);
      for (int64_t p = 0; p < kWinogradNumbers; ++p) {
        const float* kernel = w + RowsSize(0.0f, p * weight.out + n, channels);
        for (int64_t group = 0; group < groups; ++group)
          MultiplyRows(kernel, outputs, channels,
                       packed + (group * kWinogradNumbers + p) * channels * kGroup,
                       c + p * distance + group * kGroup, c_stride);
      }
      TransformSums(c, outputs * c_stride, distance);
      const float* bias = weight.bias ? weight.bias + n : nullptr;
      for (int64_t tile = first; tile < first + count;) {
        const int64_t row = tile / row_tiles, column = tile % row_tiles;
        const int64_t run = std::min(row_tiles - column, first + count - tile);
        for (int64_t q = 0; q < 4; ++q) {
          const int64_t y_row = 2 * row + q / 2, y_column = 2 * column + q % 2;
          if (y_row >= rows) continue;
          const int64_t there = std::min(run, (geometry.width - y_column + 1) / 2);
          TransposeOut(c + q * distance + tile - first, c_stride, outputs, there, bias, add,
                       y.f32(y_row * geometry.width + y_column) + n, 2 * y.stride);
        }
        tile += run;
      }
    }
  });
}

// The numbers of `count` tiles of the band from tile `first` on: [group][number][channel][32].
const float* CpuConv::PackTiles(const ConvGeometry& geometry, int64_t channels, int64_t first,
                                int64_t count, PerThread& scratch) {
  const int64_t row_tiles = (geometry.width + 1) / 2, row_size = BandWidth(geometry) * channels;
  const float* band = band_.Get<float>(0);
  const int64_t groups = (count + kGroup - 1) / kGroup;
  float* packed = scratch.packed.Get<float>(groups * kGroup * kWinogradNumbers * channels);
  constexpr int64_t kDistance = kGroup * kTileChannels;
  float* numbers = scratch.numbers.Get<float>(kWinogradNumbers * kDistance);
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t there = std::min(kGroup, count - group * kGroup);
    for (int64_t channel = 0; channel < channels; channel += kTileChannels) {
      const int64_t part = std::min(kTileChannels, channels - channel);
      for (int64_t m = 0; m < there; ++m) {
        const int64_t tile = first + group * kGroup + m;
        TransformInputs(
            band + 2 * (tile / row_tiles) * row_size + 2 * (tile % row_tiles) * channels + channel,
            channels, row_size, part, numbers + m * kTileChannels, kDistance);
      }
      for (int64_t p = 0; p < kWinogradNumbers; ++p)
        PackGroupF32(numbers + p * kDistance, kTileChannels, there, part,
                     packed + ((group * kWinogradNumbers + p) * channels + channel) * kGroup);
    }
  }
  return packed;
}

}  // namespace bagel
