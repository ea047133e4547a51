#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "base/error.h"
#include "base/utf8.h"
#include "formats/json.h"
#include "text/normalize.h"
#include "text/protocol.h"
#include "text/test_clock.h"

namespace bagel {
namespace {

using testing::ElementsAre;

const Tokenizer& Qwen() {
  static const Tokenizer tokenizer = Tokenizer::Load("tests/data/qwen-tokenizer");
  return tokenizer;
}

struct Case {
  std::string text;
  std::vector<int32_t> ids;
  std::string decoded;
};

std::vector<Case> GoldenCases() {
  std::ifstream stream("tests/golden/tokenizer/cases.jsonl");
  std::vector<Case> cases;
  for (std::string line; std::getline(stream, line);) {
    const Json json = ParseJson(line, "cases.jsonl");
    cases.push_back({json["text"], json["ids"], json["decoded"]});
  }
  return cases;
}

// Mostly what tokenizers find hard: white space, marks, quotes, digits, pieces of added tokens.
std::string RandomText(std::mt19937& random) {
  static constexpr const char* kParts[] = {" ",          "\n",           "\r\n",
                                           "\t",         "\u00A0",       "\u3000",
                                           "'s",         "'LL",          "7",
                                           "\u0663",     "word",         "\u00E9",
                                           "e\u0301",    "\u0323\u0301", "\u4F60\u597D",
                                           "\U0001F600", "<|im_start|>", "<|im_",
                                           "end|>",      "<tool_call>",  "\u0338",
                                           "!?",         "\u0915\u093C", "\u1100\u1161",
                                           "\u200D"};
  std::string text;
  for (size_t count = random() % 20; count > 0; --count)
    text += kParts[random() % std::size(kParts)];
  return text;
}

TEST(TokenizerTest, GoldenCasesBothWays) {
  const std::vector<Case> cases = GoldenCases();
  EXPECT_EQ(cases.size(), 200u);
  for (const Case& item : cases) {
    EXPECT_EQ(Qwen().Encode(item.text, Specials::kParse), item.ids) << item.text;
    EXPECT_EQ(Qwen().Decode(item.ids), item.decoded) << item.text;
  }
}

TEST(TokenizerTest, ThinkPromptsAreTheGoldenOnes) {
  const std::vector<Case> cases = GoldenCases();
  for (const std::string_view prompt : {kThinkUnderstandPrompt, kThinkGeneratePrompt}) {
    EXPECT_TRUE(std::any_of(cases.begin(), cases.end(),
                            [prompt](const Case& item) { return item.text == prompt; }));
  }
}

TEST(TokenizerTest, SizesAndNames) {
  EXPECT_EQ(Qwen().size(), 151665);
  EXPECT_EQ(Qwen().SpecialId("<|im_start|>"), 151644);
  EXPECT_TRUE(Qwen().IsSpecial(151645));
  EXPECT_FALSE(Qwen().IsSpecial(Qwen().SpecialId("<tool_call>")));
  for (const int32_t id : {-1, 151665, 152063, INT32_MAX, INT32_MIN}) {
    EXPECT_FALSE(Qwen().IsSpecial(id));
    EXPECT_EQ(Qwen().TokenBytes(id), "");
  }
  EXPECT_EQ(Qwen().TokenBytes(264), " a");
  EXPECT_EQ(Qwen().TokenBytes(151645), "<|im_end|>");
  EXPECT_EQ(Qwen().TokenBytes(188), std::string(1, '\0'));
}

TEST(TokenizerTest, DecodeSkipsSpecialsAndUnknownIds) {
  const std::vector<int32_t> ids = {151644, 64, 151657, 151665, -5, 151645};
  EXPECT_EQ(Qwen().Decode(ids), "<|im_start|>a<tool_call><|im_end|>");
  EXPECT_EQ(Qwen().Decode(ids, true), "a<tool_call>");
}

TEST(TokenizerTest, PlainTextNeverGivesAddedTokens) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    const std::string text = RandomText(random);
    const std::vector<int32_t> ids = Qwen().Encode(text, Specials::kPlain);
    EXPECT_TRUE(std::all_of(ids.begin(), ids.end(), [](int32_t id) { return id < 151643; }));
    EXPECT_EQ(Qwen().Decode(ids), NormalizeNfc(text));
  }
  for (int32_t id = 151643; id < 151665; ++id) {
    const std::vector<int32_t> ids = Qwen().Encode(Qwen().TokenBytes(id), Specials::kPlain);
    EXPECT_GT(ids.size(), 1u);
    EXPECT_LT(*std::max_element(ids.begin(), ids.end()), 151643);
  }
}

TEST(TokenizerTest, ParseFindsTheLeftmostThenLongest) {
  EXPECT_THAT(Qwen().Encode("<|im_start|><|im_start<|im_end|>", Specials::kParse),
              ElementsAre(151644, 27, 91, 318, 4906, 151645));
  // Added tokens are taken before normalisation could join a mark to them.
  EXPECT_EQ(Qwen().Encode("<|im_end|>\u0338", Specials::kParse).at(0), 151645);
}

TEST(TokenizerTest, InvalidUtf8IsReadAsReplacementCharacters) {
  EXPECT_THAT(Qwen().Encode("\xFF", Specials::kPlain), ElementsAre(5691));
  EXPECT_EQ(Qwen().Encode("a\xE2\x82 b\xC0\xAF", Specials::kParse),
            Qwen().Encode("a\uFFFD b\uFFFD\uFFFD", Specials::kParse));
  std::mt19937 random(2);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes(random() % 64, ' ');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::string expected = NormalizeNfc(ReplaceInvalidUtf8(bytes));
    for (const Specials specials : {Specials::kPlain, Specials::kParse}) {
      EXPECT_EQ(Qwen().Decode(Qwen().Encode(bytes, specials)), expected);
    }
  }
}

TEST(TokenizerTest, EveryTokenRoundTripsItsBytes) {
  for (int32_t id = 0; id < Qwen().size(); ++id) {
    const std::string bytes = Qwen().TokenBytes(id);
    ASSERT_FALSE(bytes.empty()) << id;
    if (!IsValidUtf8(bytes)) continue;
    EXPECT_EQ(Qwen().Decode(Qwen().Encode(bytes, Specials::kParse)), NormalizeNfc(bytes)) << id;
  }
}

TEST(TokenizerTest, StreamsWholeCharacters) {
  for (const Case& item : GoldenCases()) {
    Utf8Stream stream;
    std::string text;
    for (const int32_t id : item.ids) {
      const std::string piece = stream.Push(Qwen().TokenBytes(id));
      EXPECT_TRUE(IsValidUtf8(piece));
      if (item.decoded.find("\uFFFD") == std::string::npos) {
        EXPECT_EQ(piece.find("\uFFFD"), std::string::npos) << item.text;
      }
      text += piece;
    }
    EXPECT_EQ(text + stream.Finish(), item.decoded);
  }
}

TEST(TokenizerTest, MegabytesOfAnythingAreFast) {
  constexpr size_t kLength = 1'000'000;
  std::mt19937 random(4);
  std::string letters(kLength, ' '), bytes(kLength, ' '), marks = "a", specials_and_marks;
  for (char& c : letters) c = static_cast<char>('a' + random() % 26);
  for (char& c : bytes) c = static_cast<char>(random());
  while (marks.size() < kLength) marks += "\u0315\u0327";
  while (specials_and_marks.size() < kLength) specials_and_marks += "<|im_end|>\u0338 <|";
  for (const std::string& text :
       {std::string(kLength, ' '), std::string(kLength, 'a'), std::string(kLength, '\n'),
        std::string(kLength, '<'), std::string(kLength, '='), std::string(kLength, ' ') + "x",
        letters, bytes, marks, specials_and_marks}) {
    for (const Specials specials : {Specials::kPlain, Specials::kParse}) {
      const double start = CpuSeconds();
      const std::vector<int32_t> ids = Qwen().Encode(text, specials);
      EXPECT_LT(CpuSeconds() - start, kMaxCpuSeconds) << text.substr(0, 20);
      EXPECT_FALSE(ids.empty());
    }
  }
}

TEST(TokenizerTest, SmallVocabulary) {
  const Tokenizer small = Tokenizer::Load("tests/golden/model");
  EXPECT_EQ(small.size(), 634);
  EXPECT_EQ(small.TokenBytes(619), " J");
  EXPECT_EQ(small.Encode("<|im_start|>", Specials::kParse), std::vector<int32_t>{621});
  for (const Case& item : GoldenCases()) {
    EXPECT_EQ(small.Decode(small.Encode(item.text, Specials::kParse)), item.decoded);
  }
}

}  // namespace
}  // namespace bagel
