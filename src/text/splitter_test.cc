#include "text/splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "text/test_clock.h"

namespace bagel {
namespace {

using testing::ElementsAre;

TEST(SplitterTest, Pieces) {
  const Splitter splitter;
  EXPECT_THAT(splitter.Split(""), ElementsAre());
  EXPECT_THAT(splitter.Split("I'LL pay  $12 (ok)!\n\n x"),
              ElementsAre("I", "'LL", " pay", " ", " $", "1", "2", " (", "ok", ")!\n\n", " x"));
  EXPECT_THAT(splitter.Split("a \n\tb   "), ElementsAre("a", " \n", "\tb", "   "));
  EXPECT_THAT(splitter.Split(std::string_view("\0a", 2)), ElementsAre(std::string_view("\0a", 2)));
}

// Unicode's White_Space and nothing else: U+0085 and U+3000 are in it, U+180E, U+FEFF and U+001C
// are not.
TEST(SplitterTest, WhiteSpace) {
  const Splitter splitter;
  for (const char* space : {"\u0085", "\u00A0", "\u1680", "\u2000", "\u200A", "\u2028", "\u3000"}) {
    const std::string run = std::string(space) + space;
    EXPECT_THAT(splitter.Split(run + "1"), ElementsAre(space, space, "1"));
  }
  for (const char* other : {"\u180E", "\uFEFF", "\u200B", "\x1C"}) {
    const std::string run = std::string(other) + other;
    EXPECT_THAT(splitter.Split(run + "1"), ElementsAre(run, "1"));
  }
}

// (?i:'s) folds as Unicode does: U+017F is a small letter s.
TEST(SplitterTest, LongS) {
  EXPECT_THAT(Splitter().Split("a'\u017Fb"), ElementsAre("a", "'\u017F", "b"));
}

TEST(SplitterTest, BothEnginesAreLinearAndAgree) {
  const Splitter jit, interpreter(Splitter::Engine::kInterpreter);
  constexpr size_t kLength = 1'000'000;
  std::string words;
  while (words.size() < kLength) words += "word 'll\u00E9 12 \n .,;   ";
  for (const std::string& text :
       {std::string(kLength, ' '), std::string(kLength, 'a'), std::string(kLength, '\n'),
        std::string(kLength, '!'), std::string(kLength, '7'), std::string(kLength, ' ') + "x",
        "\n" + std::string(kLength, ' ') + "x", std::string(kLength, '\''), words}) {
    const double start = CpuSeconds();
    const auto pieces = jit.Split(text);
    const auto other = interpreter.Split(text);
    EXPECT_LT(CpuSeconds() - start, kMaxCpuSeconds);
    EXPECT_EQ(pieces, other);
    std::string joined;
    for (const std::string_view piece : pieces) joined += piece;
    EXPECT_EQ(joined, text);
  }
}

}  // namespace
}  // namespace bagel
