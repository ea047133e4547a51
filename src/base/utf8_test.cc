#include "base/utf8.h"

#include <gtest/gtest.h>

namespace bagel {
namespace {

TEST(Utf8Test, Validity) {
  EXPECT_TRUE(IsValidUtf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
  EXPECT_FALSE(IsValidUtf8("\xC0\xAF"));          // overlong
  EXPECT_FALSE(IsValidUtf8("\xED\xA0\x80"));      // surrogate
  EXPECT_FALSE(IsValidUtf8("\xF4\x90\x80\x80"));  // past U+10FFFF
  EXPECT_FALSE(IsValidUtf8("\xE2\x82"));          // cut off
}

TEST(Utf8Test, ReplacementFollowsPython) {
  // python3 -c "print(b'a\xe2\x82b\xff\xf0\x9f'.decode(errors='replace'))"
  EXPECT_EQ(ReplaceInvalidUtf8("a\xE2\x82"
                               "b\xFF\xF0\x9F"),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Utf8Test, StreamHoldsBackUnfinishedCharacters) {
  Utf8Stream stream;
  EXPECT_EQ(stream.Push("x\xF0\x9F"), "x");
  EXPECT_EQ(stream.Push("\x98"), "");
  EXPECT_EQ(stream.Push("\x80y"), "\xF0\x9F\x98\x80y");
  EXPECT_EQ(stream.Finish(), "");
  EXPECT_EQ(stream.Push("\xE2"), "");
  EXPECT_EQ(stream.Finish(), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace bagel
