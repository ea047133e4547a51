// The autoencoder's ops.
#include "tests/ops_test.h"

namespace bagel {
namespace {

TEST_P(OpsTest, GroupNorm) {
  const Matrix x(333, 96, 1, 3, 2), factors(2, 96, 2);
  CompareF32(Matrix(2, 32, 3), GetParam().row_bound, "moments",
             [&](Placed& on, const Tensor& y) { on.ops().GroupMoments(y, on.Put(x), 32); });
  Compare(Matrix(333, 96, 4), GetParam().row_bound, "scale and shift",
          [&](Placed& on, const Tensor& y) {
            on.ops().ScaleShift(y, on.Put(x), on.Put(factors, DType::kF32));
          });
}

TEST_P(OpsTest, Conv2d) {
  uint32_t seed = 500;
  struct Shape {
    int64_t height, width, in, out;
  };
  for (const ConvSampling sampling :
       {ConvSampling::kSame, ConvSampling::kDown, ConvSampling::kUp}) {
    for (const Shape& shape :
         {Shape{2, 2, 1, 1}, {6, 10, 3, 32}, {4, 70, 64, 3}, {8, 36, 40, 50}, {4, 4, 512, 512}}) {
      ConvGeometry geometry{shape.height, shape.width, sampling};
      const int64_t gap = shape.in % 16 == 0 ? 8 : 3;
      const Matrix x(shape.height * shape.width, shape.in, ++seed, 1, gap);
      const Matrix factors(2, shape.in, ++seed);
      const StoredWeight kernel(WeightFormat::kF32, shape.out, 9 * shape.in, ++seed);
      const StoredWeight half_kernel(WeightFormat::kBF16, shape.out, 9 * shape.in, ++seed, false);
      const int64_t rows = geometry.OutputHeight(), width = geometry.OutputWidth();
      const std::string what =
          std::to_string(static_cast<int>(sampling)) + " " + std::to_string(shape.in);
      Compare(Matrix(rows * width, shape.out, ++seed, 1, 5), GetParam().product_bound, what,
              [&](Placed& on, const Tensor& y) {
                on.ops().Conv2d(y, on.Put(x), on.Put(kernel), geometry);
              });
      CompareF32(Matrix(rows * width, shape.out, ++seed), GetParam().product_bound, what + " norm",
                 [&](Placed& on, const Tensor& y) {
                   on.ops().Conv2dAdd(y, on.Put(x, DType::kF32), on.Put(half_kernel), geometry,
                                      on.Put(factors, DType::kF32));
                 });
      geometry.first_output = rows / 2;
      const auto [first, last] = geometry.InputRows(geometry.first_output, rows - rows / 2);
      geometry.first_input = first;
      const int64_t first_row = first * shape.width, band_rows = (last - first) * shape.width;
      CompareF32(Matrix((rows - rows / 2) * width, shape.out, ++seed), GetParam().product_bound,
                 what + " band", [&](Placed& on, const Tensor& y) {
                   on.ops().Conv2d(y, on.Put(x).Rows(first_row, band_rows), on.Put(kernel),
                                   geometry, on.Put(factors, DType::kF32));
                 });
    }
  }
}

}  // namespace
}  // namespace bagel
