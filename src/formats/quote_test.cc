#include "formats/quote.h"

#include <gtest/gtest.h>

#include "formats/dtype.h"

namespace bagel {
namespace {

TEST(QuoteTest, OneLineOfValidText) {
  EXPECT_EQ(Quote("plain"), "\"plain\"");
  EXPECT_EQ(Quote("a\nb\x1B\x7F"), "\"a\\x0ab\\x1b\\x7f\"");
  EXPECT_EQ(Quote("\xFF"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(Quote("abcdef", 4), "\"abcd\"... (6 bytes)");
  EXPECT_EQ(Quote("abc\xC3\xA9z", 4), "\"abc\"... (6 bytes)");
}

TEST(DTypeTest, NamesGoBothWays) {
  for (int i = 0; i <= static_cast<int>(DType::kBool); ++i) {
    const DType dtype = static_cast<DType>(i);
    EXPECT_EQ(DTypeFromName(DTypeName(dtype)), dtype);
  }
  EXPECT_EQ(DTypeName(DType::kBF16), "BF16");
  EXPECT_EQ(DTypeSize(DType::kBF16), 2U);
  EXPECT_EQ(DTypeFromName("bf16"), std::nullopt);
}

}  // namespace
}  // namespace bagel
