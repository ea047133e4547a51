#include "api/wire_json.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace bagel::api {
namespace {

std::string SyntaxError(std::string_view text) {
  try {
    ReadWireJson(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string StringIn(std::string_view text) {
  const WireValue value = ReadWireJson(text);
  return *value.As<std::string>();
}

TEST(WireJson, ReadsEveryKind) {
  const WireValue value =
      ReadWireJson(R"( {"a": [1, -2.5e3, true, false, null], "b": {"c": "d"}, "a": 2} trailing)");
  const auto& object = *value.As<WireObject>();
  ASSERT_EQ(object.size(), 3U);
  EXPECT_EQ(object[2].name, "a");
  const auto& list = *object[0].value.As<WireArray>();
  ASSERT_EQ(list.size(), 5U);
  EXPECT_EQ(list[1].As<WireNumber>()->literal, "-2.5e3");
  EXPECT_TRUE(list[4].is_null());
}

TEST(WireJson, ReadsOnlyTheFirstValue) {
  EXPECT_EQ(ReadWireJson("{} }{ nonsense").value.index(), WireValue{WireObject{}}.value.index());
}

TEST(WireJson, DecodesEscapesAndReplacesWhatIsNotText) {
  EXPECT_EQ(StringIn(R"("\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00")"), "\"\\/\b\f\n\r\té😀");
  EXPECT_EQ(StringIn(R"("\ud83dx")"), "\uFFFDx");
  EXPECT_EQ(StringIn(R"("\ude00\ud83d\u0041")"), "\uFFFD\uFFFDA");
  EXPECT_EQ(StringIn("\"a\xff\x62\""), "a\uFFFDb");
}

TEST(WireJson, SpeaksGo) {
  EXPECT_EQ(SyntaxError(""), "missing request body");
  EXPECT_EQ(SyntaxError(" \n"), "missing request body");
  EXPECT_EQ(SyntaxError("x"), "invalid character 'x' looking for beginning of value");
  EXPECT_EQ(SyntaxError("'"), R"(invalid character '\'' looking for beginning of value)");
  EXPECT_EQ(SyntaxError("\xff"), "invalid character 'ÿ' looking for beginning of value");
  EXPECT_EQ(SyntaxError("{"), "unexpected EOF");
  EXPECT_EQ(SyntaxError("{\"a\":"), "unexpected EOF");
  EXPECT_EQ(SyntaxError("\"abc"), "unexpected EOF");
  EXPECT_EQ(SyntaxError("{a"), "invalid character 'a' looking for beginning of object key string");
  EXPECT_EQ(SyntaxError("{\"a\" 1}"), "invalid character '1' after object key");
  EXPECT_EQ(SyntaxError("{\"a\":1 2"), "invalid character '2' after object key:value pair");
  EXPECT_EQ(SyntaxError("{\"a\":1,}"),
            "invalid character '}' looking for beginning of object key string");
  EXPECT_EQ(SyntaxError("[1 2]"), "invalid character '2' after array element");
  EXPECT_EQ(SyntaxError("[01]"), "invalid character '1' after array element");
  EXPECT_EQ(SyntaxError("[-]"), "invalid character ']' in numeric literal");
  EXPECT_EQ(SyntaxError("[1.]"), "invalid character ']' after decimal point in numeric literal");
  EXPECT_EQ(SyntaxError("[1e]"), "invalid character ']' in exponent of numeric literal");
  EXPECT_EQ(SyntaxError("nul!"), "invalid character '!' in literal null (expecting 'l')");
  EXPECT_EQ(SyntaxError("NaN"), "invalid character 'N' looking for beginning of value");
  EXPECT_EQ(SyntaxError("\"a\nb\""), R"(invalid character '\n' in string literal)");
  EXPECT_EQ(SyntaxError("\"\\x\""), "invalid character 'x' in string escape code");
  EXPECT_EQ(SyntaxError("\"\\u00g0\""),
            "invalid character 'g' in \\u hexadecimal character escape");
}

TEST(WireJson, BoundsDepthAndNumberOfValues) {
  EXPECT_EQ(SyntaxError(std::string(1'000'000, '[')), "exceeded max depth");
  std::string deep;
  for (int i = 0; i < 1000; ++i) {
    deep += "{\"a\":";
  }
  EXPECT_EQ(SyntaxError(deep), "exceeded max depth");
  std::string wide = "[0";
  for (int i = 0; i < 200'000; ++i) {
    wide += ",0";
  }
  EXPECT_EQ(SyntaxError(wide + "]"), "more than 200000 JSON values in one request");
}

}  // namespace
}  // namespace bagel::api
