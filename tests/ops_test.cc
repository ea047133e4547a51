// Every op on every device against the reference, on odd sizes and on the real model's sizes.
#include "tensor/ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "cpu/cpu_ops.h"
#include "cpu/tile.h"
#include "cpu/weights.h"
#include "quant/codec.h"
#include "quant/half.h"
#include "quant/nf4.h"
#include "ref/ref_ops.h"
#include "tests/golden.h"

namespace bagel {
namespace {

// Bounds on the relative L2 error of one op's whole result. Products sum up to 18944 terms one
// after the other in f32 (1.1e-6 seen), and they are what a fast path may round: bf16 keeps 8 bits,
// so a product of random values is off by about 2^-9 * sqrt(2). Few rows meet NF4 weights as
// integers: 16-bit ones (5.7e-5 seen) or, on the fast path, 8-bit ones (8.9e-3 seen).
struct Device {
  const char* name;
  std::unique_ptr<Ops> (*make)();
  double product_bound;
  double nf4_bound;
  double row_bound;

  double ProductBound(WeightFormat format, int64_t rows, int64_t in) const {
    const bool integers = format == WeightFormat::kNf4 && rows <= 8 && in % kNf4Block == 0;
    return integers ? nf4_bound : product_bound;
  }
};

const Device kDevices[] = {
    {"CpuExact", [] { return MakeCpuOps({.threads = 2, .exact = true}); }, 3e-6, 2e-4, 1e-6},
    {"CpuFast", [] { return MakeCpuOps({.threads = 3, .exact = false}); }, 5e-3, 1.5e-2, 1e-6},
};

// A tensor in host memory, with room at the end of each row so that strides are tested.
class Matrix {
 public:
  Matrix(int64_t rows, int64_t cols, uint32_t seed, float scale = 1.0f, int64_t gap = 0)
      : values_(static_cast<size_t>(rows * (cols + gap))),
        tensor_{values_.data(), DType::kF32, rows, cols, cols + gap} {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, scale);
    for (float& value : values_) value = normal(random);
  }
  Matrix(const Matrix& other) : values_(other.values_), tensor_(other.tensor_) {
    tensor_.data = values_.data();
  }
  const Tensor& tensor() const { return tensor_; }
  const std::vector<float>& values() const { return values_; }

 private:
  std::vector<float> values_;
  Tensor tensor_;
};

// A random weight in one format, with its bytes.
class StoredWeight {
 public:
  StoredWeight(WeightFormat format, int64_t out, int64_t in, uint32_t seed, bool bias = true) {
    const Matrix values(out, in, seed, 1.0f / std::sqrt(static_cast<float>(in)));
    bias_ = Matrix(1, out, seed + 1).values();
    weight_ = {format, out, in, nullptr, nullptr, bias ? bias_.data() : nullptr};
    if (format == WeightFormat::kInt8Block64) {
      packed_ = PackInt8Block64(values.values(), out, in);
      weight_.data = packed_.codes.data();
      weight_.scales = packed_.scales.data();
    } else if (format == WeightFormat::kNf4) {
      PackAsNf4(values.values(), seed % 2 == 0);
    } else if (format == WeightFormat::kF32) {
      floats_ = values.values();
      weight_.data = floats_.data();
    } else {
      for (const float value : values.values())
        halves_.push_back(format == WeightFormat::kF16 ? F32ToF16(value) : F32ToBF16(value));
      weight_.data = halves_.data();
    }
  }
  StoredWeight(const StoredWeight&) = delete;
  const Weight& weight() const { return weight_; }

 private:
  void PackAsNf4(const std::vector<float>& values, bool twice) {
    nibbles_.resize((values.size() + 1) / 2);
    floats_.resize(static_cast<size_t>(Nf4Blocks(static_cast<int64_t>(values.size()))));
    CHECK(PackNf4(values, nibbles_.data(), floats_.data()));
    weight_.data = nibbles_.data();
    weight_.nf4 = {Nf4Map().data(), floats_.data(), nullptr, nullptr, nullptr, 0};
    if (!twice) return;
    nested_ = NestNf4(floats_);
    weight_.nf4 = {Nf4Map().data(),       nullptr,
                   nested_.codes.data(),  nested_.absmax.data(),
                   Nf4NestedMap().data(), nested_.offset};
  }

  std::vector<float> floats_, bias_;
  std::vector<uint8_t> nibbles_;
  Nf4Nested nested_;
  std::vector<uint16_t> halves_;
  Int8Block64 packed_;
  Weight weight_;
};

class OpsTest : public testing::TestWithParam<Device> {
 protected:
  // Runs `op` on the reference and on the device, each on its own copy of `result`.
  void Compare(const Matrix& result, double bound, const std::string& what,
               const std::function<void(Ops&, const Tensor&)>& op) {
    const std::vector<Matrix> results(2, result);
    op(*reference_, results[0].tensor());
    op(*device_, results[1].tensor());
    EXPECT_LE(RelativeError(results[1].values(), results[0].values()), bound) << what;
  }

  std::unique_ptr<Ops> reference_ = MakeRefOps();
  std::unique_ptr<Ops> device_ = GetParam().make();
};

constexpr WeightFormat kFormats[] = {WeightFormat::kF32, WeightFormat::kF16, WeightFormat::kBF16,
                                     WeightFormat::kInt8Block64, WeightFormat::kNf4};

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
        Compare(Matrix(rows, out, ++seed, 1, 5), bound, what,
                [&](Ops& ops, const Tensor& y) { ops.Linear(y, x.tensor(), stored.weight()); });
        Compare(Matrix(rows, out, ++seed, 1, 5), bound, what + " add",
                [&](Ops& ops, const Tensor& y) { ops.LinearAdd(y, x.tensor(), stored.weight()); });
      }
    }
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
          [&](Ops& ops, const Tensor& y) { ops.Linear(y, x.tensor(), stored.weight()); });
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

TEST_P(OpsTest, Embed) {
  uint32_t seed = 200;
  const std::vector<int32_t> ids = {3, 0, 9, 3};
  for (const WeightFormat format : kFormats) {
    const StoredWeight table(format, 10, 100, ++seed, false);
    Compare(Matrix(4, 100, ++seed), 1e-7, "embed",
            [&](Ops& ops, const Tensor& y) { ops.Embed(y, table.weight(), ids); });
    Compare(Matrix(4, 100, ++seed), 1e-7, "add rows",
            [&](Ops& ops, const Tensor& y) { ops.AddRows(y, table.weight(), ids); });
  }
}

TEST_P(OpsTest, RowOps) {
  uint32_t seed = 300;
  for (const int64_t cols : {1, 5, 72, 128, 1152, 3584, 18943}) {
    const Matrix x(3, cols, ++seed, 4, 1), other(3, cols, ++seed, 4);
    const Matrix weight(1, cols, ++seed), bias(1, cols, ++seed);
    const float* w = weight.values().data();
    const float* b = bias.values().data();
    const double bound = GetParam().row_bound;
    const std::string what = std::to_string(cols);
    Compare(Matrix(3, cols, ++seed), bound, "rms " + what,
            [&](Ops& ops, const Tensor& y) { ops.RmsNorm(y, x.tensor(), w, 1e-6f); });
    Compare(x, bound, "rms in place " + what,
            [&](Ops& ops, const Tensor& y) { ops.RmsNorm(y, y, w, 1e-6f); });
    Compare(Matrix(3, cols, ++seed), bound, "layer norm " + what,
            [&](Ops& ops, const Tensor& y) { ops.LayerNorm(y, x.tensor(), w, b, 1e-6f); });
    Compare(x, bound, "gelu " + what, [&](Ops& ops, const Tensor& y) { ops.GeluTanh(y); });
    Compare(Matrix(3, cols, ++seed, 4), bound, "swiglu " + what,
            [&](Ops& ops, const Tensor& y) { ops.SwiGlu(y, y, other.tensor()); });
  }
}

TEST_P(OpsTest, RowOpsOfLargeValues) {
  const Matrix huge(2, 40, 1, 3000), other(2, 40, 2, 3000);
  Compare(huge, GetParam().row_bound, "gelu", [&](Ops& ops, const Tensor& y) { ops.GeluTanh(y); });
  Compare(huge, GetParam().row_bound, "swiglu",
          [&](Ops& ops, const Tensor& y) { ops.SwiGlu(y, y, other.tensor()); });
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
  Compare(Matrix(6, 384, 2), GetParam().row_bound, "all", [&](Ops& ops, const Tensor& y) {
    ops.HeadNormRope(y, weight.values().data(), 128, 1e-6f, 1e6f, 0);
  });
  Compare(Matrix(2, 128, 3), GetParam().row_bound, "from row 4", [&](Ops& ops, const Tensor& y) {
    ops.HeadNormRope(y, weight.values().data(), 128, 1e-6f, 1e6f, 4);
  });
}

// Fills contexts in several steps; the last one attends.
void AttendInSteps(Ops& ops, const std::vector<std::vector<Span>>& steps, int64_t heads,
                   int64_t kv_heads, int64_t head_dim, const Tensor& y) {
  constexpr int64_t kPages = 24;
  const auto elements = static_cast<size_t>(kPages * kv_heads * kKvPageTokens * head_dim);
  const size_t bytes = elements * DTypeSize(ops.KvType());
  KvLayer cache{ops.Allocate(bytes), ops.Allocate(bytes), ops.KvType(), kPages, kv_heads, head_dim,
                ops.Allocate(bytes), ops.Allocate(bytes)};
  uint32_t seed = 1;
  for (const std::vector<Span>& spans : steps) {
    Step step;
    step.spans = spans;
    step.positions.resize(
        static_cast<size_t>(spans.back().first_row + spans.back().rows - spans.back().lead));
    const int64_t rows = step.rows();
    const Matrix q(rows, heads * head_dim, ++seed, 2), k(rows, kv_heads * head_dim, ++seed),
        v(rows, kv_heads * head_dim, ++seed);
    ops.BeginStep(step);
    ops.KvAppend(cache, k.tensor(), v.tensor());
    if (&spans == &steps.back()) ops.Attention(y, q.tensor(), cache);
  }
  for (void* memory : {cache.k, cache.v, cache.scratch_k, cache.scratch_v}) ops.Free(memory);
}

TEST_P(OpsTest, AttentionOverPages) {
  const double bound = GetParam().product_bound * 2;  // two products
  // A text, a picture that crosses pages, then a batch: one decodes, one goes on with a text.
  const std::vector<std::vector<Span>> steps = {
      {{0, 5, 0, true, {3}}},
      {{0, 300, 5, false, {3, 0, 7}}},
      {{0, 1, 305, true, {3, 0, 7}}, {1, 40, 0, true, {9}}, {41, 129, 0, false, {11, 10}}}};
  Compare(Matrix(170, 7 * 128, 1), bound, "7 heads to 1",
          [&](Ops& ops, const Tensor& y) { AttendInSteps(ops, steps, 7, 1, 128, y); });
  Compare(Matrix(170, 4 * 64, 1), bound, "2 kv heads of 64",
          [&](Ops& ops, const Tensor& y) { AttendInSteps(ops, steps, 4, 2, 64, y); });
}

TEST_P(OpsTest, AttentionRealShape) {
  const std::vector<std::vector<Span>> steps = {
      {{0, 1400, 0, false, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}},
      {{0, 3, 1400, true, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}}};
  Compare(Matrix(3, 28 * 128, 1), GetParam().product_bound * 2, "28 heads to 4",
          [&](Ops& ops, const Tensor& y) { AttendInSteps(ops, steps, 28, 4, 128, y); });
}

TEST_P(OpsTest, FullAttention) {
  struct Shape {
    int64_t rows, heads, head_dim;
  };
  uint32_t seed = 400;
  for (const Shape& shape : {Shape{1, 1, 72}, {200, 16, 72}, {129, 2, 512}, {37, 3, 20}}) {
    const int64_t cols = shape.heads * shape.head_dim;
    const Matrix q(shape.rows, cols, ++seed, 2), k(shape.rows, cols, ++seed),
        v(shape.rows, cols, ++seed);
    Compare(Matrix(shape.rows, cols, ++seed), GetParam().product_bound * 2,
            std::to_string(shape.rows) + " rows, " + std::to_string(shape.heads) + " heads",
            [&](Ops& ops, const Tensor& y) {
              ops.FullAttention(y, q.tensor(), k.tensor(), v.tensor(), shape.heads);
            });
  }
}

TEST_P(OpsTest, AttentionOfSpansWithLeads) {
  // A prompt, then two passes over pictures whose markers lie together, one of them in scratch.
  const std::vector<std::vector<Span>> steps = {
      {{0, 5, 0, true, {3}}, {5, 128, 0, true, {4}}},
      {{4, 200, 5, false, {3, 24, 25}, 2, 0}, {202, 200, 128, false, {4, 26, 27}, 2, 2}}};
  Compare(Matrix(400, 2 * 128, 1), GetParam().product_bound * 2, "leads",
          [&](Ops& ops, const Tensor& y) { AttendInSteps(ops, steps, 2, 1, 128, y); });
}

TEST_P(OpsTest, SiluCopyBlend) {
  const Matrix x(5, 1001, 1, 4, 3), other(5, 1001, 2);
  Compare(x, GetParam().row_bound, "silu", [](Ops& ops, const Tensor& y) { ops.Silu(y); });
  Compare(other, GetParam().row_bound, "copy",
          [&](Ops& ops, const Tensor& y) { ops.Copy(y, x.tensor()); });
  Compare(other, GetParam().row_bound, "blend",
          [&](Ops& ops, const Tensor& y) { ops.Blend(y, x.tensor(), 0.25f, -3.0f); });
  std::vector<uint16_t> halves(5 * 1001);
  const Tensor stored{halves.data(), DType::kBF16, 5, 1001, 1001};
  Compare(other, GetParam().row_bound, "through bf16", [&](Ops& ops, const Tensor& y) {
    ops.Copy(stored, x.tensor());
    ops.Blend(y, stored, 0.5f, 2.0f);
    ops.Copy(y.Rows(0, 1), stored.Rows(1, 1));
  });
}

TEST_P(OpsTest, GroupNorm) {
  const Matrix x(333, 96, 1, 3, 2), factors(2, 96, 2);
  Compare(Matrix(2, 32, 3), GetParam().row_bound, "moments",
          [&](Ops& ops, const Tensor& y) { ops.GroupMoments(y, x.tensor(), 32); });
  Compare(Matrix(333, 96, 4), GetParam().row_bound, "scale and shift",
          [&](Ops& ops, const Tensor& y) { ops.ScaleShift(y, x.tensor(), factors.tensor()); });
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
      const Matrix x(shape.height * shape.width, shape.in, ++seed, 1, 3);
      const Matrix factors(2, shape.in, ++seed);
      const StoredWeight kernel(WeightFormat::kF32, shape.out, 9 * shape.in, ++seed);
      const StoredWeight half_kernel(WeightFormat::kBF16, shape.out, 9 * shape.in, ++seed, false);
      const int64_t rows = geometry.OutputHeight(), width = geometry.OutputWidth();
      const std::string what =
          std::to_string(static_cast<int>(sampling)) + " " + std::to_string(shape.in);
      Compare(
          Matrix(rows * width, shape.out, ++seed, 1, 5), GetParam().product_bound, what,
          [&](Ops& ops, const Tensor& y) { ops.Conv2d(y, x.tensor(), kernel.weight(), geometry); });
      Compare(Matrix(rows * width, shape.out, ++seed), GetParam().product_bound, what + " norm",
              [&](Ops& ops, const Tensor& y) {
                ops.Conv2dAdd(y, x.tensor(), half_kernel.weight(), geometry, factors.tensor());
              });
      geometry.first_output = rows / 2;
      const auto [first, last] = geometry.InputRows(geometry.first_output, rows - rows / 2);
      geometry.first_input = first;
      const Tensor band = x.tensor().Rows(first * shape.width, (last - first) * shape.width);
      Compare(Matrix((rows - rows / 2) * width, shape.out, ++seed), GetParam().product_bound,
              what + " band", [&](Ops& ops, const Tensor& y) {
                ops.Conv2d(y, band, kernel.weight(), geometry, factors.tensor());
              });
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, OpsTest, testing::ValuesIn(kDevices),
                         [](const auto& device) { return std::string(device.param.name); });

}  // namespace
}  // namespace bagel
