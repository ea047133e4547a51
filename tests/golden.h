// The reference's recorded tensors, and the comparison that tests make with them.
#ifndef BAGEL_TESTS_GOLDEN_H_
#define BAGEL_TESTS_GOLDEN_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "formats/picture.h"
#include "formats/safetensors.h"
#include "formats/test_support.h"
#include "quant/half.h"
#include "tensor/ops.h"

namespace bagel {

inline const char* const kGoldenModel = "tests/golden/model";

inline Picture ReadPicture(const std::string& path) { return DecodePicture(ReadBytes(path)); }

template <typename T>
std::vector<T> Values(const TensorEntry& entry) {
  std::vector<T> values(entry.data.size() / sizeof(T));
  std::memcpy(values.data(), entry.data.data(), entry.data.size());
  return values;
}

// |a - b| / |b|, Euclidean.
inline double RelativeError(std::span<const float> a, std::span<const float> b) {
  CHECK(a.size() == b.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

// Keeps every traced stage.
class TraceRecorder {
 public:
  explicit TraceRecorder(Ops& ops) {
    ops.SetTrace([this](const std::string& name, const Tensor& host) {
      std::vector<float>& values = stages_[name];
      values.resize(static_cast<size_t>(host.rows * host.cols));
      if (host.dtype == DType::kF16)
        std::transform(host.row<uint16_t>(0), host.row<uint16_t>(host.rows), values.begin(),
                       F16ToF32);
      else
        std::copy(host.f32(), host.f32() + values.size(), values.begin());
    });
  }
  const std::map<std::string, std::vector<float>>& stages() const { return stages_; }

 private:
  std::map<std::string, std::vector<float>> stages_;
};

}  // namespace bagel

#endif  // BAGEL_TESTS_GOLDEN_H_
