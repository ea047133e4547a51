#include "image/resize.h"

#include "formats/test_support.h"

namespace bagel {
namespace {

Picture Load(const std::string& path) { return DecodePicture(ReadBytes(path)); }

void ExpectSamePicture(const Picture& found, const Picture& expected, const std::string& name) {
  EXPECT_EQ(found.width, expected.width) << name;
  EXPECT_EQ(found.height, expected.height) << name;
  EXPECT_EQ(found.rgb, expected.rgb) << name;
}

TEST(ResizeTest, MatchesTheReferenceToTheByte) {
  int compared = 0;
  for (const std::string name :
       {"astronaut", "chelsea", "coffee", "grey_small", "palette", "panorama", "rgba"}) {
    const Picture vae = ResizeByRule(Load("tests/golden/images/" + name + ".png"), kVaeSizeLimits);
    const Picture vit = ResizeByRule(vae, kVitSizeLimits);
    for (const auto& [picture, rule] : {std::pair(&vae, ".vae.png"), std::pair(&vit, ".vit.png")}) {
      const std::string golden = "tests/golden/preprocess/" + name + rule;
      if (!std::filesystem::exists(golden)) continue;
      ExpectSamePicture(*picture, Load(golden), golden);
      ++compared;
    }
  }
  EXPECT_EQ(compared, 8);
}

// Hashes of what Pillow's Image.resize(size, BICUBIC) gives.
TEST(ResizeTest, MatchesPillowAtOddSizes) {
  const struct {
    const char* name;
    PictureSize size;
    uint64_t hash;
  } kCases[] = {
      {"grey_small.png", {1, 1}, 0xca9e3a18f4660403U},
      {"grey_small.png", {97, 7}, 0xfa3fff96cd6e9380U},
      {"grey_small.png", {5, 131}, 0xc1fac235b014ce14U},
      {"panorama.png", {17, 3}, 0xfb02929970448edbU},
      {"panorama.png", {1, 400}, 0x235f9d4fbfbb0095U},
      {"astronaut.png", {511, 13}, 0xee4af36a1c22e860U},
      {"astronaut.png", {3, 257}, 0xc4489ca2797c7d45U},
      {"rgba.png", {333, 61}, 0xe3713cc3a367c6d9U},
      {"coffee.png", {250, 200}, 0xa7da4ddabdcbb7c8U},
      {"chelsea.png", {452, 299}, 0x636288d0ca25363cU},
      {"chelsea.png", {97, 101}, 0x92c4890ad5da049fU},
  };
  for (const auto& [name, size, hash] : kCases) {
    const Picture resized = ResizeBicubic(Load(std::string("tests/golden/images/") + name), size);
    EXPECT_EQ(Fnv1a64(resized.rgb), hash) << name << " " << size.width << "x" << size.height;
  }
}

TEST(ResizeTest, PaletteGoesThroughBothRules) {
  const Picture vae = ResizeByRule(Load("tests/golden/images/palette.png"), kVaeSizeLimits);
  EXPECT_EQ(Fnv1a64(vae.rgb), 0x9864fc52ec54086dU);
  EXPECT_EQ(Fnv1a64(ResizeByRule(vae, kVitSizeLimits).rgb), 0xc560319dbc44f738U);
}

}  // namespace
}  // namespace bagel
