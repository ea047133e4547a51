// NF4 against what bitsandbytes stores: every byte packed, every bit unpacked.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "quant/half.h"
#include "quant/nf4.h"
#include "tests/golden.h"

namespace bagel {
namespace {

class GoldenNf4Test : public testing::Test {
 protected:
  std::set<std::string> Cases() const {
    std::set<std::string> cases;
    for (const auto& [name, entry] : golden_.tensors())
      cases.insert(name.substr(0, name.find('.')));
    return cases;
  }

  template <typename T>
  std::vector<T> Golden(const std::string& name) const {
    const TensorEntry* entry = golden_.Find(name);
    CHECK(entry != nullptr);
    return Values<T>(*entry);
  }

  std::vector<float> Source(const std::string& name) const {
    std::vector<float> values;
    for (const uint16_t half : Golden<uint16_t>(name + ".source")) values.push_back(F16ToF32(half));
    return values;
  }

  SafetensorsFile golden_{"tests/golden/nf4/cases.safetensors"};
};

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST_F(GoldenNf4Test, Maps) {
  const std::string name = "normal_256x512.double.";
  EXPECT_TRUE(SameBits({Nf4Map().begin(), Nf4Map().end()}, Golden<float>(name + "quant_map")));
  EXPECT_TRUE(SameBits({Nf4NestedMap().begin(), Nf4NestedMap().end()},
                       Golden<float>(name + "nested_quant_map")));
}

TEST_F(GoldenNf4Test, PlainAndDouble) {
  ASSERT_GE(Cases().size(), 8u);
  for (const std::string& name : Cases()) {
    const std::vector<float> source = Source(name);
    const auto count = static_cast<int64_t>(source.size());
    std::vector<uint8_t> packed((source.size() + 1) / 2);
    std::vector<float> absmax(static_cast<size_t>(Nf4Blocks(count))), values(source.size());
    ASSERT_TRUE(PackNf4(source, packed.data(), absmax.data()));
    EXPECT_EQ(packed, Golden<uint8_t>(name + ".plain")) << name;
    EXPECT_EQ(packed, Golden<uint8_t>(name + ".double")) << name;
    EXPECT_TRUE(SameBits(absmax, Golden<float>(name + ".plain.absmax"))) << name;
    UnpackNf4(packed.data(), {Nf4Map().data(), absmax.data(), nullptr, nullptr, nullptr, 0}, 0,
              count, values.data());
    EXPECT_TRUE(SameBits(values, Golden<float>(name + ".plain.value"))) << name;

    const Nf4Nested nested = NestNf4(absmax);
    EXPECT_EQ(nested.codes, Golden<uint8_t>(name + ".double.absmax")) << name;
    EXPECT_TRUE(SameBits(nested.absmax, Golden<float>(name + ".double.nested_absmax"))) << name;
    UnpackNf4(packed.data(),
              {Nf4Map().data(), nullptr, nested.codes.data(), nested.absmax.data(),
               Nf4NestedMap().data(), nested.offset},
              0, count, values.data());
    EXPECT_TRUE(SameBits(values, Golden<float>(name + ".double.value"))) << name;
  }
}

}  // namespace
}  // namespace bagel
