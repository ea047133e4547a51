#include "formats/picture.h"

#include <algorithm>
#include <set>

#include "formats/exif.h"
#include "formats/test_support.h"

namespace bagel {
namespace {

const std::string kFolder = "src/formats/testdata/";

TEST(PictureTest, EveryModeDecodesAsPillowShowsIt) {
  std::ifstream list(kFolder + "expected.txt");
  std::string name;
  std::string hash;
  int width = 0;
  int height = 0;
  int count = 0;
  while (list >> name >> width >> height >> hash) {
    const Picture picture = DecodePicture(ReadBytes(kFolder + name));
    EXPECT_EQ(picture.width, width) << name;
    EXPECT_EQ(picture.height, height) << name;
    EXPECT_EQ(Fnv1a64(picture.rgb), std::stoull(hash, nullptr, 16)) << name;
    ++count;
  }
  EXPECT_GE(count, 80);
}

TEST(PictureTest, TrailingBytesAreIgnored) {
  for (const char* name : {"png_c2_d8.png", "420.jpg", "lossy_alpha.webp"}) {
    std::vector<std::byte> bytes = ReadBytes(kFolder + name);
    const Picture clean = DecodePicture(bytes);
    bytes.resize(bytes.size() + 1000, std::byte{0xFF});
    EXPECT_EQ(DecodePicture(bytes).rgb, clean.rgb) << name;
  }
}

TEST(PictureTest, EveryTruncationIsAnError) {
  for (const char* name : {"png_c3_d4t.png", "png_c6_d16i.png", "420.jpg", "progressive.jpg",
                           "cmyk.jpg", "lossy.webp", "lossless_alpha.webp", "animated.webp"}) {
    const std::vector<std::byte> bytes = ReadBytes(kFolder + name);
    // RIFF chunks may end with a padding byte that a reader can do without.
    const size_t unneeded = std::string_view(name).ends_with(".webp") ? 1 : 0;
    for (size_t size = 0; size + unneeded < bytes.size(); ++size) {
      EXPECT_THROW(DecodePicture(std::span(bytes).first(size)), Error) << name << " " << size;
    }
  }
}

TEST(PictureTest, LimitsComeBeforeDecoding) {
  const std::vector<std::byte> png = ReadBytes(kFolder + "png_c2_d8.png");
  EXPECT_BAGEL_ERROR(
      DecodePicture(png, {.max_bytes = 100}), ErrorKind::kTooLarge,
      "invalid image: " + std::to_string(png.size()) + " bytes, more than the limit of 100");
  for (const char* name : {"png_c2_d8.png", "420.jpg", "lossy.webp", "animated_offset.webp"}) {
    const std::vector<std::byte> bytes = ReadBytes(kFolder + name);
    const Picture picture = DecodePicture(bytes);
    const std::string size = std::to_string(picture.width) + "x" + std::to_string(picture.height);
    EXPECT_BAGEL_ERROR(DecodePicture(bytes, {.max_side = 12}), ErrorKind::kTooLarge,
                       "invalid image: its size is " + size + ", more than the limit of 12 a side");
    EXPECT_BAGEL_ERROR(
        DecodePicture(bytes, {.max_pixels = 142}), ErrorKind::kTooLarge,
        "invalid image: its size is " + size + ", more than the limit of 142 pixels");
  }
  // A tiny file that claims 60000 x 60000 pixels.
  std::vector<std::byte> bomb = png;
  for (const size_t offset : {16U, 20U}) {
    bomb[offset + 2] = std::byte{0xEA};
    bomb[offset + 3] = std::byte{0x60};
  }
  EXPECT_BAGEL_ERROR(DecodePicture(bomb), ErrorKind::kTooLarge,
                     "invalid image: its size is 60000x60000, more than the limit of 64000000 "
                     "pixels");
}

TEST(PictureTest, OtherBytesAreNamed) {
  EXPECT_BAGEL_ERROR(DecodePicture({}), ErrorKind::kCorrupt, "invalid image: it is empty");
  const std::string text = "GIF89a, for one";
  EXPECT_BAGEL_ERROR(DecodePicture(std::as_bytes(std::span(text))), ErrorKind::kCorrupt,
                     "invalid image: its 15 bytes are not a PNG, JPEG or WebP file");
}

TEST(PictureTest, BrokenExifMeansUpright) {
  const auto orientation = [](std::string_view text) {
    return ExifOrientation(std::as_bytes(std::span(text)));
  };
  constexpr std::string_view kGood(
      "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0", 26);
  EXPECT_EQ(orientation(kGood), 6);
  for (size_t size = 0; size < 20; ++size) EXPECT_EQ(orientation(kGood.substr(0, size)), 1) << size;
  std::string bad(kGood);
  bad[18] = 9;
  EXPECT_EQ(orientation(bad), 1);
  bad = kGood;
  bad.replace(4, 4, "\xFF\xFF\xFF\xFF");
  EXPECT_EQ(orientation(bad), 1);
  bad = kGood;
  bad.replace(8, 2, "\xFF\xFF");
  bad[10] = 0;
  EXPECT_EQ(orientation(bad), 1);
}

TEST(PictureTest, AJpegWithHundredsOfScansIsRefused) {
  std::vector<std::byte> bytes = ReadBytes(kFolder + "progressive.jpg");
  const auto find_marker = [&](size_t from, std::initializer_list<int> markers) {
    while (bytes[from] != std::byte{0xFF} ||
           std::count(markers.begin(), markers.end(), static_cast<int>(bytes[from + 1])) == 0) {
      ++from;
    }
    return bytes.begin() + static_cast<ptrdiff_t>(from);
  };
  // The first scan, repeated at its own end.
  const auto first = find_marker(0, {0xDA});
  const auto end = find_marker(static_cast<size_t>(first - bytes.begin()) + 2, {0xC4, 0xDA});
  const std::vector<std::byte> scan(first, end);
  std::vector<std::byte> copies;
  for (int i = 0; i < 300; ++i) copies.insert(copies.end(), scan.begin(), scan.end());
  bytes.insert(end, copies.begin(), copies.end());
  EXPECT_BAGEL_ERROR(DecodePicture(bytes), ErrorKind::kCorrupt,
                     "invalid image: the JPEG file is broken: it has more than 100 scans");
}

TEST(PictureTest, DamagedFilesNeverCrash) {
  for (const std::string suffix : {".png", ".jpg", ".webp"}) {
    std::set<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
      if (entry.path().extension() == suffix) paths.insert(entry.path().string());
    }
    std::vector<std::vector<std::byte>> originals;
    originals.reserve(paths.size());
    for (const std::string& path : paths) originals.push_back(ReadBytes(path));
    ASSERT_FALSE(originals.empty());
    std::mt19937 random(5);
    int decoded = 0;
    for (size_t i = 0; i < 20'000; ++i) {
      const std::vector<std::byte> bytes = Mutated(originals[i % originals.size()], random);
      try {
        // A low limit keeps the test fast when a mutation enlarges the size.
        const Picture picture = DecodePicture(bytes, {.max_pixels = 100'000});
        ASSERT_EQ(picture.rgb.size(),
                  static_cast<size_t>(picture.width) * static_cast<size_t>(picture.height) * 3);
        ++decoded;
      } catch (const Error& error) {
        ASSERT_EQ(std::string(error.what()).rfind("invalid image: ", 0), 0U) << error.what();
      }
    }
    EXPECT_GT(decoded, 0) << suffix;
    EXPECT_LT(decoded, 20'000) << suffix;
  }
}

TEST(PictureTest, PngKeepsPixelsAndTexts) {
  const Picture picture = DecodePicture(ReadBytes("tests/golden/images/coffee.png"));
  const std::vector<std::byte> bytes = EncodePng(picture, {{"prompt", "caf\xC3\xA9"},
                                                           {"seed", std::string("4\0"
                                                                                "2\xFF",
                                                                                4)}});
  const Picture again = DecodePicture(bytes);
  EXPECT_EQ(again.width, picture.width);
  EXPECT_EQ(again.rgb, picture.rgb);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  EXPECT_NE(text.find(std::string_view("iTXtprompt\0\0\0\0\0caf\xC3\xA9", 20)), text.npos);
  EXPECT_NE(text.find(std::string_view("iTXtseed\0\0\0\0\0"
                                       "42\xEF\xBF\xBD",
                                       18)),
            text.npos);
}

TEST(PictureTest, LossyFormatsComeBackClose) {
  const Picture picture = DecodePicture(ReadBytes("tests/golden/images/coffee.png"));
  for (const std::vector<std::byte>& bytes : {EncodeJpeg(picture, 90), EncodeWebp(picture, 90)}) {
    const Picture again = DecodePicture(bytes);
    ASSERT_EQ(again.rgb.size(), picture.rgb.size());
    double difference = 0;
    for (size_t i = 0; i < picture.rgb.size(); ++i) {
      difference += std::abs(int{again.rgb[i]} - int{picture.rgb[i]});
    }
    EXPECT_LT(difference / static_cast<double>(picture.rgb.size()), 4.0);
  }
}

TEST(PictureTest, EncodersNameTheirLimits) {
  Picture wide{.width = 65501, .height = 1, .rgb = std::vector<uint8_t>(65501 * 3)};
  EXPECT_BAGEL_ERROR(EncodeJpeg(wide, 90), ErrorKind::kTooLarge,
                     "cannot write a JPEG file of 65501x1: Maximum supported image dimension is "
                     "65500 pixels");
  EXPECT_BAGEL_ERROR(EncodeWebp(wide, 90), ErrorKind::kTooLarge,
                     "cannot write a WebP file of 65501x1, the limit is 16383 a side");
  EXPECT_EQ(DecodePicture(EncodePng(wide)).rgb, wide.rgb);
}

}  // namespace
}  // namespace bagel
