// Every op on every device against the reference, on odd sizes and on the real model's sizes.
#include "tensor/ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cpu/cpu_ops.h"
#include "cpu/tile.h"
#include "cpu/weights.h"
#include "quant/codec.h"
#include "quant/half.h"
#include "quant/nf4.h"
#include "ref/ref_ops.h"
#include "tests/golden.h"
#include "tests/gpu.h"

namespace bagel {
namespace {

// Bounds on the relative L2 error of one op's whole result. Products sum up to 18944 terms one
// after the other in f32 (1.1e-6 seen), and they are what a fast path may round: bf16 keeps 8 bits,
// so a product of random values is off by about 2^-9 * sqrt(2). Few rows meet NF4 weights as
// integers: 16-bit ones (5.7e-5 seen) or, on the fast path, 8-bit ones (8.9e-3 seen). The GPU
// multiplies f16, and what it stores as f16 is off by about 2^-12.
struct Device {
  std::string name;
  std::function<std::unique_ptr<Ops>()> make;
  double product_bound;
  double nf4_bound;
  double row_bound;
  DType type = DType::kF32;  // of activations
  bool int8_cache = false;

  double ProductBound(WeightFormat format, int64_t rows, int64_t in) const {
    const bool integers = format == WeightFormat::kNf4 && rows <= 8 && in % kNf4Block == 0;
    return integers ? nf4_bound : product_bound;
  }
};

std::vector<Device> Devices() {
  std::vector<Device> devices = {
      {"CpuExact", [] { return MakeCpuOps({.threads = 2, .exact = true}); }, 3e-6, 2e-4, 1e-6},
      {"CpuFast", [] { return MakeCpuOps({.threads = 3, .exact = false}); }, 5e-3, 1.5e-2, 1e-6}};
  for (const GpuProfile& gpu : GpuProfiles()) {
    const auto make = [gpu] { return gpu.Make(); };
    devices.push_back({std::string(gpu.name) + "F32", make, 5e-3, 5e-3, 2e-6});
    devices.push_back({std::string(gpu.name) + "F16", make, 5e-3, 5e-3, 5e-4, DType::kF16});
  }
  return devices;
}

// A tensor in host memory, with room at the end of each row so that strides are tested. Its values
// are the same in f16.
class Matrix {
 public:
  Matrix(int64_t rows, int64_t cols, uint32_t seed, float scale = 1.0f, int64_t gap = 0)
      : values_(static_cast<size_t>(rows * (cols + gap))),
        tensor_{values_.data(), DType::kF32, rows, cols, cols + gap} {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, scale);
    for (float& value : values_) value = F16ToF32(F32ToF16(normal(random)));
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

// Copies of tensors and weights on one device, for one op.
class Placed {
 public:
  // Tensors are of type `type`.
  Placed(Ops& ops, DType type) : ops_(ops), type_(type), memory_(ops) {}
  Placed(const Placed&) = delete;

  Ops& ops() const { return ops_; }

  Tensor Put(const Matrix& matrix) { return Put(matrix, type_); }
  Tensor Put(const Matrix& matrix, DType type) {
    Tensor tensor = matrix.tensor();
    tensor.dtype = type;
    if (type == DType::kF32) {
      tensor.data = Copy(matrix.values());
    } else {
      std::vector<uint16_t> halves;
      for (const float value : matrix.values()) halves.push_back(F32ToF16(value));
      tensor.data = Copy(halves);
    }
    return tensor;
  }
  const float* Vector(const std::vector<float>& values) {
    return static_cast<const float*>(Copy(values));
  }
  Weight Put(const StoredWeight& stored) {
    Weight weight = ops_.Place(stored.weight(), "test", memory_);
    if (weight.bias) weight.bias = Vector({weight.bias, weight.bias + weight.out});
    return weight;
  }
  // A tensor without values.
  Tensor Take(DType type, int64_t rows, int64_t cols) {
    return {Copy(std::vector<char>(static_cast<size_t>(rows * cols) * DTypeSize(type))), type, rows,
            cols, cols};
  }
  // All values of a tensor, those between rows included.
  std::vector<float> Values(const Tensor& tensor) {
    std::vector<float> values(static_cast<size_t>(tensor.rows * tensor.stride));
    if (tensor.dtype == DType::kF32) {
      ops_.CopyToHost(values.data(), tensor.data, values.size() * sizeof(float));
      return values;
    }
    std::vector<uint16_t> halves(values.size());
    ops_.CopyToHost(halves.data(), tensor.data, halves.size() * sizeof(uint16_t));
    std::transform(halves.begin(), halves.end(), values.begin(), F16ToF32);
    return values;
  }

 private:
  template <typename T>
  void* Copy(const std::vector<T>& values) {
    const size_t bytes = values.size() * sizeof(T);
    void* copy = memory_.Take(bytes);
    ops_.CopyToDevice(copy, values.data(), bytes);
    return copy;
  }

  Ops& ops_;
  DType type_;
  WeightMemory memory_;
};

// The same with keys and values in 8 bits, where a key that is normed by another sum may have a
// code that is rounded to the other side: 5e-5 of a result over 100 keys.
std::vector<Device> Int8CacheDevices() {
  std::vector<Device> devices = {
      {"CpuExact", [] { return MakeCpuOps({.threads = 2, .exact = true, .int8_cache = true}); },
       5e-5, 2e-4, 1e-6},
      {"CpuFast", [] { return MakeCpuOps({.threads = 3, .int8_cache = true}); }, 5e-3, 1.5e-2,
       1e-6}};
  for (const GpuProfile& gpu : GpuProfiles()) {
    const auto make = [gpu] { return gpu.Make("int8"); };
    devices.push_back({std::string(gpu.name) + "F32", make, 5e-3, 5e-3, 2e-6});
    devices.push_back({std::string(gpu.name) + "F16", make, 5e-3, 5e-3, 5e-4, DType::kF16});
  }
  for (Device& device : devices) device.int8_cache = true;
  return devices;
}

class OpsTest : public testing::TestWithParam<Device> {
 protected:
  using Op = std::function<void(Placed&, const Tensor&)>;

  // Runs `op` on the reference and on the device, each on its own copy of `result`.
  void Compare(const Matrix& result, double bound, const std::string& what, const Op& op) {
    CompareAs(GetParam().type, result, bound, what, op);
  }
  // For what is f32 whatever the activations are: the residual stream.
  void CompareF32(const Matrix& result, double bound, const std::string& what, const Op& op) {
    CompareAs(DType::kF32, result, bound, what, op);
  }

  std::unique_ptr<Ops> reference_ = MakeRefOps(GetParam().int8_cache);
  std::unique_ptr<Ops> device_ = GetParam().make();

 private:
  void CompareAs(DType type, const Matrix& result, double bound, const std::string& what,
                 const Op& op) {
    Placed reference(*reference_, DType::kF32), device(*device_, GetParam().type);
    const Tensor expected = reference.Put(result), actual = device.Put(result, type);
    op(reference, expected);
    op(device, actual);
    EXPECT_LE(RelativeError(device.Values(actual), reference.Values(expected)), bound) << what;
  }
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

TEST_P(OpsTest, GatedMlpAdd) {
  const Matrix norm(1, 256, 1);
  for (const WeightFormat format : {WeightFormat::kBF16, WeightFormat::kNf4}) {
    const StoredWeight gate(format, 320, 256, 2, false), up(format, 320, 256, 3, false);
    const StoredWeight down(format, 256, 320, 4, false);
    for (const int64_t rows : {1, 3, 11}) {
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

// Fills contexts in several steps; the last one attends. `normed`: its heads are normed and turned
// before.
void AttendInSteps(Placed& on, const std::vector<std::vector<Span>>& steps, int64_t heads,
                   int64_t kv_heads, int64_t head_dim, const Tensor& y, bool normed = false) {
  constexpr int64_t kPages = 24;
  Ops& ops = on.ops();
  KvLayer cache{nullptr, nullptr, ops.KvType(), kPages, kv_heads, head_dim};
  for (void** memory : {&cache.k, &cache.v, &cache.scratch_k, &cache.scratch_v})
    *memory = on.Take(DType::kU8, kPages, cache.PageBytes()).data;
  uint32_t seed = 1;
  for (const std::vector<Span>& spans : steps) {
    Step step;
    step.spans = spans;
    step.positions.resize(
        static_cast<size_t>(spans.back().first_row + spans.back().rows - spans.back().lead));
    const int64_t rows = step.rows();
    const Matrix q(rows, heads * head_dim, ++seed, 2), k(rows, kv_heads * head_dim, ++seed),
        v(rows, kv_heads * head_dim, ++seed);
    for (const Span& span : spans)
      for (int64_t i = 0; i < span.rows; ++i)
        step.positions[static_cast<size_t>(span.Row(i))] = static_cast<int32_t>(span.past + i);
    ops.BeginStep(step);
    const bool last = &spans == &steps.back();
    if (last && normed) {
      const HeadNorms norms{0, rows, on.Vector(Matrix(1, head_dim, ++seed, 2).values()),
                            on.Vector(Matrix(1, head_dim, ++seed, 2).values())};
      ops.NormRopeAttention(y, cache, on.Put(q), on.Put(k), on.Put(v), std::span(&norms, 1), 1e-6f,
                            1e6f);
      continue;
    }
    ops.KvAppend(cache, on.Put(k), on.Put(v));
    if (last) ops.Attention(y, on.Put(q), cache);
  }
}

class AttentionTest : public OpsTest {};

TEST_P(AttentionTest, OverPages) {
  const double bound = GetParam().product_bound * 2;  // two products
  // A text, a picture that crosses pages, then a batch: one decodes, one goes on with a text.
  const std::vector<std::vector<Span>> steps = {
      {{0, 5, 0, true, {3}}},
      {{0, 300, 5, false, {3, 0, 7}}},
      {{0, 1, 305, true, {3, 0, 7}}, {1, 40, 0, true, {9}}, {41, 129, 0, false, {11, 10}}}};
  Compare(Matrix(170, 7 * 128, 1), bound, "7 heads to 1",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 7, 1, 128, y); });
  Compare(Matrix(170, 4 * 64, 1), bound, "2 kv heads of 64",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 4, 2, 64, y); });
}

TEST_P(AttentionTest, RealShape) {
  const std::vector<std::vector<Span>> steps = {
      {{0, 1400, 0, false, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}},
      {{0, 3, 1400, true, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}}};
  Compare(Matrix(3, 28 * 128, 1), GetParam().product_bound * 2, "28 heads to 4",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 28, 4, 128, y); });
}

// Every context goes on by one token, as when texts are decoded together.
TEST_P(AttentionTest, NormRopeOfSingleRows) {
  const std::vector<std::vector<Span>> steps = {
      {{0, 400, 0, true, {0, 1, 2, 3}}, {400, 127, 0, true, {4}}, {527, 128, 0, false, {5}}},
      {{0, 1, 400, true, {0, 1, 2, 3}},
       {1, 1, 127, true, {4}},
       {2, 1, 128, true, {5, 6}},
       {3, 1, 0, true, {7}}}};
  const double bound = GetParam().product_bound * 2;
  Compare(Matrix(4, 14 * 128, 1), bound, "14 heads to 2",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 14, 2, 128, y, true); });
  Compare(Matrix(4, 2 * 128, 1), bound, "2 heads to 1",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 2, 1, 128, y, true); });
  Compare(Matrix(4, 8 * 128, 1), bound, "8 heads to 1",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 8, 1, 128, y, true); });
  const std::vector<std::vector<Span>> text = {{{0, 100, 0, true, {2}}},
                                               {{0, 60, 100, true, {2, 9}}}};
  Compare(Matrix(60, 14 * 128, 1), bound, "a text",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, text, 14, 2, 128, y, true); });
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
            [&](Placed& on, const Tensor& y) {
              on.ops().FullAttention(y, on.Put(q), on.Put(k), on.Put(v), shape.heads);
            });
  }
}

TEST_P(AttentionTest, OfSpansWithLeads) {
  // A prompt, then two passes over pictures whose markers lie together, one of them in scratch.
  const std::vector<std::vector<Span>> steps = {
      {{0, 5, 0, true, {3}}, {5, 128, 0, true, {4}}},
      {{4, 200, 5, false, {3, 24, 25}, 2, 0}, {202, 200, 128, false, {4, 26, 27}, 2, 2}}};
  Compare(Matrix(400, 2 * 128, 1), GetParam().product_bound * 2, "leads",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 2, 1, 128, y); });
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

constexpr auto kName = [](const auto& device) { return device.param.name; };
INSTANTIATE_TEST_SUITE_P(Devices, OpsTest, testing::ValuesIn(Devices()), kName);
INSTANTIATE_TEST_SUITE_P(Devices, AttentionTest, testing::ValuesIn(Devices()), kName);
INSTANTIATE_TEST_SUITE_P(Int8Cache, AttentionTest, testing::ValuesIn(Int8CacheDevices()), kName);

}  // namespace
}  // namespace bagel
