#include "text/protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace bagel {
namespace {

using testing::ElementsAre;

constexpr char kSmallModel[] = "tests/golden/model";

TEST(ProtocolTest, IdsOfBothVocabularies) {
  const ProtocolIds qwen = ProtocolIds::From(Tokenizer::Load("tests/data/qwen-tokenizer"));
  EXPECT_EQ(qwen.endoftext, 151643);
  EXPECT_EQ(qwen.im_start, 151644);
  EXPECT_EQ(qwen.im_end, 151645);
  EXPECT_EQ(qwen.vision_start, 151652);
  EXPECT_EQ(qwen.vision_end, 151653);
  EXPECT_EQ(ProtocolIds::From(Tokenizer::Load(kSmallModel)).im_end, 622);
}

TEST(ProtocolTest, WrapsText) {
  const ProtocolIds protocol = ProtocolIds::From(Tokenizer::Load(kSmallModel));
  EXPECT_THAT(WrapText(protocol, std::vector<int32_t>{7, 8}), ElementsAre(621, 7, 8, 622));
  EXPECT_THAT(WrapText(protocol, {}), ElementsAre(621, 622));
}

ThinkSplitter::Parts SplitInPieces(const std::string& text, size_t size) {
  ThinkSplitter splitter;
  ThinkSplitter::Parts all;
  const auto add = [&all](const ThinkSplitter::Parts& parts) {
    all.thinking += parts.thinking;
    all.answer += parts.answer;
  };
  for (size_t at = 0; at < text.size(); at += size) add(splitter.Push(text.substr(at, size)));
  add(splitter.Finish());
  return all;
}

TEST(ThinkSplitterTest, SameResultForEveryCut) {
  struct Case {
    const char* text;
    const char* thinking;
    const char* answer;
  };
  const Case cases[] = {
      {"", "", ""},
      {"Just an answer.", "", "Just an answer."},
      {"<think> plan </think>\n\n answer \n", " plan ", "answer \n"},
      {"before <think>a</think>b", "a", "before b"},
      {"<think>a</think> b <think>c</think>\td", "ac", "b d"},
      {"<think>never closed </thin", "never closed </thin", ""},
      {"1 < 2 <<think>>x</think>", ">x", "1 < 2 <"},
      {"</think> stays", "", "</think> stays"},
      {"<think><think></think></think>", "<think>", "</think>"},
      {"<thin", "", "<thin"},
      {"<think></think>  ", "", ""},
  };
  for (const Case& item : cases) {
    for (size_t size = 1; size <= 40; ++size) {
      const ThinkSplitter::Parts parts = SplitInPieces(item.text, size);
      EXPECT_EQ(parts.thinking, item.thinking) << item.text << " by " << size;
      EXPECT_EQ(parts.answer, item.answer) << item.text << " by " << size;
    }
  }
}

TEST(ThinkSplitterTest, TellsAtOnceWhatItKnows) {
  ThinkSplitter splitter;
  EXPECT_EQ(splitter.Push("hi <th").answer, "hi ");
  EXPECT_EQ(splitter.Push("ere").answer, "<there");
  EXPECT_EQ(splitter.Push("<think>one </").thinking, "one ");
  EXPECT_EQ(splitter.Push("two").thinking, "</two");
  EXPECT_EQ(splitter.Push("</think> \n").answer, "");
  EXPECT_EQ(splitter.Push(" x y").answer, "x y");
}

}  // namespace
}  // namespace bagel
