// The reference's recorded tensors, and the comparison that tests make with them.
#ifndef BAGEL_TESTS_GOLDEN_H_
#define BAGEL_TESTS_GOLDEN_H_

#include <cmath>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "formats/picture.h"
#include "formats/safetensors.h"
#include "formats/test_support.h"
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
      const float* values = host.f32();
      stages_[name].assign(values, values + host.rows * host.cols);
    });
  }
  const std::map<std::string, std::vector<float>>& stages() const { return stages_; }

 private:
  std::map<std::string, std::vector<float>> stages_;
};

}  // namespace bagel

#endif  // BAGEL_TESTS_GOLDEN_H_
