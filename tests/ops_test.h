// What tests of ops compare with: devices, values on them, and the reference beside them.
#ifndef BAGEL_TESTS_OPS_TEST_H_
#define BAGEL_TESTS_OPS_TEST_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cpu/cpu_ops.h"
#include "quant/codec.h"
#include "quant/half.h"
#include "quant/nf4.h"
#include "ref/ref_ops.h"
#include "tensor/ops.h"
#include "tests/golden.h"
#include "tests/gpu.h"

namespace bagel {

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

inline std::vector<Device> Devices() {
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

inline constexpr WeightFormat kFormats[] = {WeightFormat::kF32, WeightFormat::kF16,
                                            WeightFormat::kBF16, WeightFormat::kInt8Block64,
                                            WeightFormat::kNf4};

// Names of tests by their device.
inline constexpr auto kDeviceName = [](const auto& device) { return device.param.name; };

}  // namespace bagel

#endif  // BAGEL_TESTS_OPS_TEST_H_
