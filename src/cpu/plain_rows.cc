#include "cpu/plain_rows.h"

#include <algorithm>
#include <vector>

#include "quant/half.h"

namespace bagel {
namespace {

template <typename Load>
void Blend(float* y, int64_t count, float keep, float factor, const Load& load) {
  if (keep == 0.0f) {
    for (int64_t i = 0; i < count; ++i) y[i] = factor * load(i);
  } else {
    for (int64_t i = 0; i < count; ++i) y[i] = keep * y[i] + factor * load(i);
  }
}

}  // namespace

void ScaleShiftRow(float* y, const float* x, const float* scale, const float* shift,
                   int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = x[i] * scale[i] + shift[i];
}

void BlendRow(float* y, const float* x, int64_t count, float keep, float factor) {
  Blend(y, count, keep, factor, [x](int64_t i) { return x[i]; });
}

void BlendRow(float* y, const uint16_t* x, int64_t count, float keep, float factor) {
  Blend(y, count, keep, factor, [x](int64_t i) { return BF16ToF32(x[i]); });
}

void MeasureGroups(ThreadPool& pool, const Tensor& x, int64_t groups, float* mean,
                   float* variance) {
  constexpr int64_t kTasks = 64;
  const auto channels = static_cast<size_t>(x.cols);
  std::vector<std::vector<double>> partial(kTasks);  // of one task: sums, then sums of squares
  pool.ParallelFor(kTasks, [&](int64_t task, int) {
    std::vector<double>& sums = partial[static_cast<size_t>(task)];
    sums.assign(2 * channels, 0.0);
    double* squares = sums.data() + channels;
    for (int64_t row = x.rows * task / kTasks; row < x.rows * (task + 1) / kTasks; ++row) {
      const float* values = x.f32(row);
      for (size_t i = 0; i < channels; ++i) {
        const double value = values[i];
        sums[i] += value;
        squares[i] += value * value;
      }
    }
  });
  const size_t size = channels / static_cast<size_t>(groups);
  const double count = static_cast<double>(x.rows) * static_cast<double>(size);
  for (size_t g = 0; g < static_cast<size_t>(groups); ++g) {
    double sum = 0, squares = 0;
    for (const std::vector<double>& sums : partial) {
      for (size_t i = g * size; i < (g + 1) * size; ++i) {
        sum += sums[i];
        squares += sums[channels + i];
      }
    }
    mean[g] = static_cast<float>(sum / count);
    variance[g] = static_cast<float>(std::max(0.0, squares / count - sum / count * (sum / count)));
  }
}

}  // namespace bagel
