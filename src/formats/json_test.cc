#include "formats/json.h"

#include "formats/test_support.h"

namespace bagel {
namespace {

TEST(JsonTest, ParseErrorsNameTheSourceAndThePlace) {
  EXPECT_EQ(ParseJson("{\"a\": [1, 2]}", "x")["a"][1], 2);
  EXPECT_BAGEL_ERROR(ParseJson("{\"a\": }", "llm_config.json"), ErrorKind::kCorrupt,
                     "llm_config.json: not valid JSON, broken at byte 7");
  EXPECT_BAGEL_ERROR(ParseJson("", "x"), ErrorKind::kCorrupt,
                     "x: not valid JSON, broken at byte 1");
  EXPECT_BAGEL_ERROR(ParseJson("1 2", "x"), ErrorKind::kCorrupt,
                     "x: not valid JSON, broken at byte 3");
  EXPECT_THROW(ParseJson("\"\xFF\"", "x"), Error);
  EXPECT_THROW(ParseJson("1e999", "x"), Error);
}

TEST(JsonTest, LimitsHold) {
  EXPECT_BAGEL_ERROR(ParseJson("[1, 2, 3]", "x", {.max_bytes = 5}), ErrorKind::kTooLarge,
                     "x: has 9 bytes, more than the limit 5");
  const std::string nested = std::string(64, '[') + std::string(64, ']');
  EXPECT_NO_THROW(ParseJson(nested, "x"));
  EXPECT_BAGEL_ERROR(ParseJson("[" + nested + "]", "x"), ErrorKind::kTooLarge,
                     "x: is nested deeper than the limit 64");
  EXPECT_THROW(ParseJson(std::string(1'000'000, '['), "x"), Error);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_THROW(ParseJson(objects, "x"), Error);
}

TEST(JsonTest, TheGoldenConfigIsReadLeniently) {
  const Json json = ReadJsonFileLeniently("tests/golden/model/config.json");
  EXPECT_EQ(json["name"][0], "BAGEL-7B-MoT");
}

TEST(JsonTest, LenientReadingTakesAnything) {
  const TemporaryFolder folder;
  const auto read = [&](std::string_view content) {
    return ReadJsonFileLeniently(folder.Write("config.json", content)).dump();
  };
  EXPECT_EQ(read("{ \"name\": [ \"BAGEL-7B-MoT\" ], }"), "{\"name\":[\"BAGEL-7B-MoT\"]}");
  EXPECT_EQ(read("{\"a\": \"b, }\\\", ]\", \"c\": [1,\n ],}"), "{\"a\":\"b, }\\\", ]\",\"c\":[1]}");
  for (const char* content : {"", "[1]", "nonsense", "{", "{\"a\": 1,, }", "\"\\", "{\"a\"}"}) {
    EXPECT_EQ(read(content), "{}") << content;
  }
  EXPECT_EQ(read(std::string(100'000, '[')), "{}");
  EXPECT_EQ(ReadJsonFileLeniently(folder.Path("missing.json")).dump(), "{}");
  EXPECT_EQ(ReadJsonFileLeniently(folder.path()).dump(), "{}");
}

class JsonObjectTest : public testing::Test {
 protected:
  const Json json_ = ParseJson(
      R"({"i": 7, "f": 2.0, "h": 2.5, "n": -3, "big": 1e300, "s": "text", "t": true, "none": null,
          "list": [1, 2, 4], "mixed": [1, "x"], "vae": {"ch": 32}, "huge": 18446744073709551615})",
      "test");
  const JsonObject object_{json_, "bagel.json"};
};

TEST_F(JsonObjectTest, TypedGetters) {
  EXPECT_EQ(object_.Int("i", 0, 10), 7);
  EXPECT_EQ(object_.Int("f", 0, 10), 2);
  EXPECT_EQ(object_.Int("n", -3, -3), -3);
  EXPECT_EQ(object_.Int("missing", 0, 10, 5), 5);
  EXPECT_EQ(object_.Int("none", 0, 10, 5), 5);
  EXPECT_EQ(object_.Double("h", 0, 10), 2.5);
  EXPECT_EQ(object_.Double("i", 0, 10), 7);
  EXPECT_EQ(object_.Double("missing", 0, 10, 0.5), 0.5);
  EXPECT_TRUE(object_.Bool("t"));
  EXPECT_TRUE(object_.Bool("missing", true));
  EXPECT_EQ(object_.String("s"), "text");
  EXPECT_EQ(object_.String("missing", "else"), "else");
  EXPECT_EQ(object_.IntList("list", 1, 4, 3), (std::vector<int64_t>{1, 2, 4}));
  EXPECT_EQ(object_.Object("vae").Int("ch", 1, 64), 32);
  EXPECT_TRUE(object_.Has("i"));
  EXPECT_FALSE(object_.Has("none"));
}

TEST_F(JsonObjectTest, ErrorsNameEverything) {
  const auto kind = ErrorKind::kInvalidArgument;
  EXPECT_BAGEL_ERROR(object_.Int("i", 8, 10), kind,
                     "bagel.json: \"i\": expected a whole number from 8 to 10, found 7");
  EXPECT_BAGEL_ERROR(object_.Int("h", 0, 10), kind,
                     "bagel.json: \"h\": expected a whole number from 0 to 10, found 2.5");
  EXPECT_BAGEL_ERROR(object_.Int("missing", 0, 10), kind,
                     "bagel.json: \"missing\": expected a whole number, found nothing");
  EXPECT_BAGEL_ERROR(object_.Int("s", 0, 10), kind,
                     "bagel.json: \"s\": expected a whole number from 0 to 10, found the string "
                     "\"text\"");
  EXPECT_THROW(object_.Int("big", INT64_MIN, INT64_MAX), Error);
  EXPECT_THROW(object_.Int("huge", INT64_MIN, INT64_MAX), Error);
  EXPECT_BAGEL_ERROR(object_.Double("big", 0, 0.25), kind,
                     "bagel.json: \"big\": expected a number from 0 to 0.25, found 1e+300");
  EXPECT_BAGEL_ERROR(object_.Bool("i"), kind, "bagel.json: \"i\": expected true or false, found 7");
  EXPECT_BAGEL_ERROR(object_.String("vae"), kind,
                     "bagel.json: \"vae\": expected a string, found an object");
  EXPECT_BAGEL_ERROR(object_.IntList("list", 1, 4, 2), kind,
                     "bagel.json: \"list\": expected a list of at most 2, found a list of 3");
  EXPECT_BAGEL_ERROR(object_.IntList("mixed", 1, 4, 2), kind,
                     "bagel.json: \"mixed\": expected whole numbers from 1 to 4, found the string "
                     "\"x\"");
  EXPECT_BAGEL_ERROR(object_.Object("vae").Int("ch", 1, 16), kind,
                     "bagel.json: \"vae\": \"ch\": expected a whole number from 1 to 16, found 32");
  EXPECT_BAGEL_ERROR(JsonObject(json_["list"], "x"), kind,
                     "x: expected an object, found a list of 3");
}

}  // namespace
}  // namespace bagel
