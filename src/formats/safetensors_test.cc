#include "formats/safetensors.h"

#include <gtest/gtest.h>

namespace bagel {
namespace {

TEST(SafetensorsTest, ReadsTheGoldenCheckpoint) {
  const SafetensorsFile file("tests/golden/model/ema.safetensors");
  EXPECT_EQ(file.metadata().find("format")->second, "pt");
  const TensorEntry* const bias = file.Find("connector.fc1.bias");
  ASSERT_NE(bias, nullptr);
  EXPECT_EQ(bias->dtype, DType::kBF16);
  EXPECT_EQ(bias->shape, std::vector<int64_t>{256});
  EXPECT_EQ(bias->data.size(), 512U);
}

}  // namespace
}  // namespace bagel
