// Products, and the pieces of a layer around them.
#include <cstring>

#include "cpu/weights.h"
#include "tests/ops_test.h"

namespace bagel {
namespace {

TEST_P(OpsTest, LinearOddSizes) {
  uint32_t seed = 1;
  for (const WeightFormat format : kFormats) {
    for (const auto& [out, in] : {std::pair<int64_t, int64_t>{1, 1},
                                  {7, 72},
                                  {144, 588},
                                  {130, 1000},
                                  {33, 4301},
                                  {256, 256},
                                  {65, 576}}) {
      const StoredWeight stored(format, out, in, ++seed);
      for (const int64_t rows : {1, 2, 8, 9, 31, 33, 70}) {
        const Matrix x(rows, in, ++seed, 1, 3);
        const std::string what = std::string(WeightFormatName(format)) + " " +
                                 std::to_string(rows) + "x" + std::to_string(in) + "->" +
                                 std::to_string(out);
        const double bound = GetParam().ProductBound(format, rows, in);
        Compare(Matrix(rows, out, ++seed, 1, 5), bound, what, [&](Placed& on, const Tensor& y) {
          on.ops().Linear(y, on.Put(x), on.Put(stored));
        });
        CompareF32(
            Matrix(rows, out, ++seed, 1, 5), bound, what + " add",
            [&](Placed& on, const Tensor& y) { on.ops().LinearAdd(y, on.Put(x), on.Put(stored)); });
      }
    }
  }
}

TEST_P(OpsTest, LinearManyRows) {
  uint32_t seed = 50;
  for (const WeightFormat format : kFormats) {
    const StoredWeight stored(format, 150, 576, ++seed);
    const Matrix x(300, 576, ++seed);
    const double bound = GetParam().ProductBound(format, 300, 576);
    Compare(Matrix(300, 150, ++seed), bound, WeightFormatName(format),
            [&](Placed& on, const Tensor& y) { on.ops().Linear(y, on.Put(x), on.Put(stored)); });
    const Op add = [&](Placed& on, const Tensor& y) {
      on.ops().LinearAdd(y, on.Put(x), on.Put(stored));
    };
    CompareF32(Matrix(300, 150, ++seed), bound, std::string(WeightFormatName(format)) + " add",
               add);
    Compare(Matrix(300, 150, ++seed), bound, std::string(WeightFormatName(format)) + " picture",
            add);
  }
}

TEST_P(OpsTest, LinearRealSizes) {
  struct Shape {
    WeightFormat format;
    int64_t out, in;
  };
  uint32_t seed = 100;
  for (const Shape& shape : {Shape{WeightFormat::kBF16, 3584, 3584},
                             {WeightFormat::kBF16, 512, 3584},
                             {WeightFormat::kBF16, 18944, 3584},
                             {WeightFormat::kBF16, 3584, 18944},
                             {WeightFormat::kInt8Block64, 512, 3584},
                             {WeightFormat::kInt8Block64, 4304, 1152},
                             {WeightFormat::kInt8Block64, 1152, 4304},
                             {WeightFormat::kNf4, 512, 3584},
                             {WeightFormat::kNf4, 256, 18944}}) {
    const StoredWeight stored(shape.format, shape.out, shape.in, ++seed, false);
    for (const int64_t rows : {1, 9}) {
      const Matrix x(rows, shape.in, ++seed);
      Compare(
          Matrix(rows, shape.out, ++seed), GetParam().ProductBound(shape.format, rows, shape.in),
          std::to_string(rows) + "x" + std::to_string(shape.in) + "->" + std::to_string(shape.out),
          [&](Placed& on, const Tensor& y) { on.ops().Linear(y, on.Put(x), on.Put(stored)); });
    }
  }
}

TEST(UnpackTest, Nf4ColumnsEqualTheReferenceBitForBit) {
  for (const auto& [in, seed] : {std::pair<int64_t, uint32_t>{256, 2}, {256, 3}, {100, 4}}) {
    const StoredWeight stored(WeightFormat::kNf4, 9, in, seed, false);
    std::vector<float> expected(static_cast<size_t>(in)), actual(expected);
    for (int64_t row = 0; row < 9; ++row) {
      UnpackRow(stored.weight(), row, expected.data());
      UnpackColumns(stored.weight(), row, 0, in, actual.data());
      EXPECT_EQ(std::memcmp(actual.data(), expected.data(), expected.size() * sizeof(float)), 0);
      UnpackColumns(stored.weight(), row, 64, in - 71, actual.data());
      EXPECT_EQ(std::memcmp(actual.data(), &expected[64], (expected.size() - 71) * sizeof(float)),
                0);
    }
  }
}

TEST_P(OpsTest, SwiGluLinearAdd) {
  const Matrix gate(3, 1000, 1), up(3, 1000, 2);
  const StoredWeight stored(WeightFormat::kBF16, 65, 1000, 3);
  CompareF32(Matrix(3, 65, 4), GetParam().product_bound, "small", [&](Placed& on, const Tensor& y) {
    on.ops().SwiGluLinearAdd(y, on.Put(gate), on.Put(up), on.Put(stored));
  });
}

// What a layer calls at once equals its parts on the reference, for few rows and for more.
TEST_P(OpsTest, NormLinear) {
  const Matrix norm(1, 256, 1);
  for (const WeightFormat format : kFormats) {
    const StoredWeight first(format, 72, 256, 2), second(format, 40, 256, 3, false);
    for (const int64_t rows : {1, 3, 8, 11}) {
      const Matrix x(rows, 256, 4, 30);
      const double bound = GetParam().ProductBound(format, rows, 256);
      for (const bool other : {false, true}) {
        Compare(Matrix(rows, other ? 40 : 72, 5), bound,
                std::string(WeightFormatName(format)) + " " + std::to_string(rows),
                [&](Placed& on, const Tensor& y) {
                  const Weight a = on.Put(first), b = on.Put(second);
                  const Product products[] = {{other ? on.Take(y.dtype, rows, 72) : y, &a},
                                              {other ? y : on.Take(y.dtype, rows, 40), &b}};
                  on.ops().NormLinear(products, on.Put(x, DType::kF32), on.Vector(norm.values()),
                                      1e-6f, on.Take(on.ops().ActivationType(), rows, 256));
                });
      }
    }
  }
}

// As wide as BAGEL's decoder: a GPU with little shared memory takes these columns in slices.
TEST_P(OpsTest, NormBeforeWideRows) {
  constexpr int64_t kIn = 3584, kOut = 72;
  const Matrix norm(1, kIn, 1);
  const StoredWeight first(WeightFormat::kNf4, kOut, kIn, 2),
      second(WeightFormat::kNf4, 40, kIn, 3);
  const StoredWeight gate(WeightFormat::kNf4, kOut, kIn, 4, false);
  const StoredWeight up(WeightFormat::kNf4, kOut, kIn, 5, false);
  const StoredWeight down(WeightFormat::kNf4, kIn, kOut, 6, false);
  for (const int64_t rows : {1, 2, 5, 8}) {
    const Matrix x(rows, kIn, 7, 2);
    const double bound = GetParam().ProductBound(WeightFormat::kNf4, rows, kIn);
    Compare(Matrix(rows, kOut, 8), bound, std::to_string(rows), [&](Placed& on, const Tensor& y) {
      const Weight a = on.Put(first), b = on.Put(second);
      const Product products[] = {{y, &a}, {on.Take(y.dtype, rows, 40), &b}};
      on.ops().NormLinear(products, on.Put(x, DType::kF32), on.Vector(norm.values()), 1e-6f,
                          on.Take(on.ops().ActivationType(), rows, kIn));
    });
    CompareF32(x, 2 * bound, "gated " + std::to_string(rows), [&](Placed& on, const Tensor& y) {
      const Weight a = on.Put(gate), b = on.Put(up), c = on.Put(down);
      const DType type = on.ops().ActivationType();
      on.ops().GatedMlpAdd(y, {on.Vector(norm.values()), 1e-6f, &a, &b, &c},
                           on.Take(type, rows, kIn), on.Take(type, rows, kOut),
                           on.Take(type, rows, kOut));
    });
  }
}

TEST_P(OpsTest, GatedMlpAdd) {
  const Matrix norm(1, 256, 1);
  for (const WeightFormat format : {WeightFormat::kBF16, WeightFormat::kNf4}) {
    const StoredWeight gate(format, 320, 256, 2, false), up(format, 320, 256, 3, false);
    const StoredWeight down(format, 256, 320, 4, false);
    for (const int64_t rows : {1, 3, 11, 300}) {
      CompareF32(Matrix(rows, 256, 5, 2), 2 * GetParam().ProductBound(format, rows, 256),
                 std::string(WeightFormatName(format)) + " " + std::to_string(rows),
                 [&](Placed& on, const Tensor& y) {
                   const Weight a = on.Put(gate), b = on.Put(up), c = on.Put(down);
                   const DType type = on.ops().ActivationType();
                   on.ops().GatedMlpAdd(y, {on.Vector(norm.values()), 1e-6f, &a, &b, &c},
                                        on.Take(type, rows, 256), on.Take(type, rows, 320),
                                        on.Take(type, rows, 320));
                 });
    }
  }
}

// Qwen2.5's residual stream passes 1e5, and the product of gate and up passes what f16 holds.
TEST_P(OpsTest, LargeActivations) {
  const Matrix gate(4, 1024, 1, 300), up(4, 1024, 2, 300), residual(4, 65, 3, 20000);
  const StoredWeight stored(WeightFormat::kBF16, 65, 1024, 4);
  const auto fused = [&](Placed& on, const Tensor& y) {
    on.ops().SwiGluLinearAdd(y, on.Put(gate), on.Put(up), on.Put(stored));
  };
  CompareF32(residual, 0.01, "fused", fused);
  if (GetParam().type != DType::kF16) return;
  // The same without care.
  Placed careful(*device_, DType::kF16), naive(*device_, DType::kF16);
  const Tensor y = careful.Put(residual, DType::kF32), z = naive.Put(residual, DType::kF32);
  fused(careful, y);
  const Tensor product = naive.Put(gate);
  naive.ops().SwiGlu(product, product, naive.Put(up));
  naive.ops().LinearAdd(z, product, naive.Put(stored));
  EXPECT_GT(RelativeError(naive.Values(z), careful.Values(y)), 0.01);
}

}  // namespace
}  // namespace bagel
