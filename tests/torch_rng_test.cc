// The noise of a seed against PyTorch's.
#include "base/torch_rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "formats/safetensors.h"
#include "tests/golden.h"

namespace bagel {
namespace {

float LargestDifference(const std::vector<float>& actual, const TensorEntry& entry) {
  const std::vector<float> expected = Values<float>(entry);
  CHECK(actual.size() == expected.size());
  float largest = 0;
  for (size_t i = 0; i < actual.size(); ++i)
    largest = std::max(largest, std::abs(actual[i] - expected[i]));
  return largest;
}

TEST(TorchRngTest, DrawsWhatTorchDraws) {
  const SafetensorsFile golden("tests/golden/rng/randn.safetensors");
  for (const uint64_t seed : {0u, 42u, 1234567u}) {
    const std::string name = "seed" + std::to_string(seed);
    for (const size_t count : {16u, 17u, 31u, 32u, 33u, 64u, 100u, 1000u}) {
      std::vector<float> values(count);
      TorchRng(seed).Normal(values);
      const std::string tensor = name + ".n" + std::to_string(count);
      EXPECT_LE(LargestDifference(values, *golden.Find(tensor)), 2e-6) << tensor;
    }
    TorchRng rng(seed);
    for (const char* part : {".twice.first", ".twice.second"}) {
      const TensorEntry& entry = *golden.Find(name + part);
      std::vector<float> values(static_cast<size_t>(entry.elements()));
      rng.Normal(values);
      EXPECT_LE(LargestDifference(values, entry), 2e-6) << name << part;
    }
  }
}

}  // namespace
}  // namespace bagel
