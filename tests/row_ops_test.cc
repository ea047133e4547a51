// What works on rows, or on values one by one.
#include "tests/ops_test.h"

namespace bagel {
namespace {

TEST_P(OpsTest, Embed) {
  uint32_t seed = 200;
  const std::vector<int32_t> ids = {3, 0, 9, 3};
  for (const WeightFormat format : kFormats) {
    const StoredWeight table(format, 10, 100, ++seed, false);
    CompareF32(Matrix(4, 100, ++seed), 1e-7, "embed",
               [&](Placed& on, const Tensor& y) { on.ops().Embed(y, table.weight(), ids); });
    CompareF32(Matrix(4, 100, ++seed), GetParam().row_bound, "add rows",
               [&](Placed& on, const Tensor& y) { on.ops().AddRows(y, on.Put(table), ids); });
  }
}

TEST_P(OpsTest, RowOps) {
  uint32_t seed = 300;
  for (const int64_t cols : {1, 5, 72, 128, 1152, 3584, 18943}) {
    const Matrix x(3, cols, ++seed, 4, 1), other(3, cols, ++seed, 4);
    const Matrix weight(1, cols, ++seed), bias(1, cols, ++seed);
    const double bound = GetParam().row_bound;
    const std::string what = std::to_string(cols);
    Compare(Matrix(3, cols, ++seed), bound, "rms " + what, [&](Placed& on, const Tensor& y) {
      on.ops().RmsNorm(y, on.Put(x), on.Vector(weight.values()), 1e-6f);
    });
    Compare(x, bound, "rms in place " + what, [&](Placed& on, const Tensor& y) {
      on.ops().RmsNorm(y, y, on.Vector(weight.values()), 1e-6f);
    });
    Compare(Matrix(3, cols, ++seed), bound, "layer norm " + what, [&](Placed& on, const Tensor& y) {
      on.ops().LayerNorm(y, on.Put(x), on.Vector(weight.values()), on.Vector(bias.values()), 1e-6f);
    });
    Compare(x, bound, "gelu " + what, [&](Placed& on, const Tensor& y) { on.ops().GeluTanh(y); });
    Compare(Matrix(3, cols, ++seed, 4), bound, "swiglu " + what,
            [&](Placed& on, const Tensor& y) { on.ops().SwiGlu(y, y, on.Put(other)); });
  }
}

TEST_P(OpsTest, RowOpsOfLargeValues) {
  const Matrix huge(2, 40, 1, 3000), other(2, 40, 2, 3000);
  CompareF32(huge, GetParam().row_bound, "gelu",
             [&](Placed& on, const Tensor& y) { on.ops().GeluTanh(y); });
  CompareF32(huge, GetParam().row_bound, "swiglu", [&](Placed& on, const Tensor& y) {
    on.ops().SwiGlu(y, y, on.Put(other, DType::kF32));
  });
}

TEST_P(OpsTest, HeadNormRope) {
  Step step;
  step.positions = {0, 1, 1, 7, 4000, 31999};
  step.spans = {{0, 6, 0, true, {0}}};
  const Matrix weight(1, 128, 1);
  reference_->BeginStep(step);
  device_->BeginStep(step);
  // Angles near 32000 in f32 are off by up to 2^-9, and by 1e-3 relative after the cosine: the
  // devices must round them alike.
  Compare(Matrix(6, 384, 2), GetParam().row_bound, "all", [&](Placed& on, const Tensor& y) {
    on.ops().HeadNormRope(y, on.Vector(weight.values()), 128, 1e-6f, 1e6f, 0);
  });
  Compare(Matrix(2, 128, 3), GetParam().row_bound, "from row 4", [&](Placed& on, const Tensor& y) {
    on.ops().HeadNormRope(y, on.Vector(weight.values()), 128, 1e-6f, 1e6f, 4);
  });
}

TEST_P(OpsTest, SiluCopyBlend) {
  const Matrix x(5, 1001, 1, 4, 3), other(5, 1001, 2);
  Compare(x, GetParam().row_bound, "silu", [](Placed& on, const Tensor& y) { on.ops().Silu(y); });
  Compare(other, GetParam().row_bound, "copy",
          [&](Placed& on, const Tensor& y) { on.ops().Copy(y, on.Put(x)); });
  CompareF32(other, GetParam().row_bound, "blend",
             [&](Placed& on, const Tensor& y) { on.ops().Blend(y, on.Put(x), 0.25f, -3.0f); });
  // The reference keeps 8 bits, the GPU 11.
  const bool f16 = device_->KeptType() == DType::kF16;
  CompareF32(other, f16 ? 4e-3 : GetParam().row_bound, "stored", [&](Placed& on, const Tensor& y) {
    const bool keeps_f16 = on.ops().KeptType() == DType::kF16;
    const Tensor stored = on.Take(keeps_f16 ? DType::kF16 : DType::kBF16, 5, 1001);
    on.ops().Copy(stored, on.Put(x));
    on.ops().Blend(y, stored, 0.5f, 2.0f);
    on.ops().Copy(y.Rows(0, 1), stored.Rows(1, 1));
  });
}

}  // namespace
}  // namespace bagel
