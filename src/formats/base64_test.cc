#include "formats/base64.h"

#include "formats/test_support.h"

namespace bagel {
namespace {

std::string Decoded(std::string_view text) {
  const std::vector<std::byte> bytes = DecodeBase64(text);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void ExpectIllegal(std::string_view text, size_t position) {
  SCOPED_TRACE(text);
  EXPECT_BAGEL_ERROR(DecodeBase64(text), ErrorKind::kInvalidArgument,
                     "illegal base64 data at input byte " + std::to_string(position));
}

TEST(Base64Test, DecodesTheVectorsOfRfc4648) {
  EXPECT_EQ(Decoded(""), "");
  EXPECT_EQ(Decoded("Zg=="), "f");
  EXPECT_EQ(Decoded("Zm8="), "fo");
  EXPECT_EQ(Decoded("Zm9v"), "foo");
  EXPECT_EQ(Decoded("Zm9vYg=="), "foob");
  EXPECT_EQ(Decoded("Zm9vYmE="), "fooba");
  EXPECT_EQ(Decoded("Zm9vYmFy"), "foobar");
}

TEST(Base64Test, LineEndsAreAllowedAnywhere) {
  EXPECT_EQ(Decoded("\r\nZ\nm\r9v\n\nYg=\r\n=\n"), "foob");
  EXPECT_EQ(Decoded("\n\r\n"), "");
  EXPECT_EQ(Decoded("Zm9v\nYmFy\n"), "foobar");
}

TEST(Base64Test, FaultsAreWhereGoFindsThem) {
  ExpectIllegal("!!!!", 0);
  ExpectIllegal("====", 0);
  ExpectIllegal("x===", 1);
  ExpectIllegal("=AAA", 0);
  ExpectIllegal("A=AA", 1);
  ExpectIllegal("AA=A", 2);
  ExpectIllegal("AA==A", 4);
  ExpectIllegal("AAA=AAAA", 4);
  ExpectIllegal("AAAAA", 4);
  ExpectIllegal("AAAAAA", 4);
  ExpectIllegal("A=", 1);
  ExpectIllegal("A==", 1);
  ExpectIllegal("AA=", 3);
}

TEST(Base64Test, LineEndsCountAsInputBytes) {
  ExpectIllegal("AA\nAA\n!", 6);
  ExpectIllegal("AA=\n", 4);
  ExpectIllegal("AA=\nA", 3);
  ExpectIllegal("AAA=\nA", 5);
  ExpectIllegal("AAAAA\n", 5);
  ExpectIllegal("Zm9v\nYm-y", 7);
}

TEST(Base64Test, UnusedBitsAreIgnored) { EXPECT_EQ(Decoded("Zh=="), "f"); }

TEST(Base64Test, EncodedComesBack) {
  std::mt19937 random(3);
  for (size_t size = 0; size < 200; ++size) {
    std::vector<std::byte> bytes(size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    const std::string text = EncodeBase64(bytes);
    EXPECT_EQ(text.size(), (size + 2) / 3 * 4);
    EXPECT_EQ(DecodeBase64(text), bytes);
  }
}

TEST(Base64Test, DataUrlsLoseTheirPrefix) {
  EXPECT_EQ(StripDataUrl("data:image/png;base64,Zm9v"), "Zm9v");
  EXPECT_EQ(StripDataUrl("DATA:image/jpeg;charset=x;Base64,Zm9v"), "Zm9v");
  EXPECT_EQ(StripDataUrl("data:;base64,"), "");
  EXPECT_EQ(StripDataUrl("data:image/png,Zm9v"), "data:image/png,Zm9v");
  EXPECT_EQ(StripDataUrl("data:;base64"), "data:;base64");
  EXPECT_EQ(StripDataUrl("data,"), "data,");
  EXPECT_EQ(StripDataUrl("Zm9v"), "Zm9v");
  EXPECT_EQ(StripDataUrl(""), "");
}

}  // namespace
}  // namespace bagel
