#include "text/stop_strings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/error.h"
#include "base/utf8.h"

namespace bagel {
namespace {

TEST(StopStringsTest, HoldsBackOnlyWhatCouldBegin) {
  StopStrings stops({"###", "User:"});
  EXPECT_EQ(stops.Push("Hello #"), "Hello ");
  EXPECT_EQ(stops.Push("1 Us"), "#1 ");
  EXPECT_EQ(stops.Push("es Use"), "Uses ");
  EXPECT_FALSE(stops.stopped());
  EXPECT_EQ(stops.Push("r: no"), "");
  EXPECT_TRUE(stops.stopped());
  EXPECT_EQ(stops.Push("more"), "");
  EXPECT_EQ(stops.Finish(), "");
}

TEST(StopStringsTest, FinishGivesBackTheRest) {
  StopStrings stops({"aab"});
  EXPECT_EQ(stops.Push("caa"), "c");
  EXPECT_EQ(stops.Push("a"), "a");
  EXPECT_EQ(stops.Finish(), "aa");
  EXPECT_EQ(stops.Push("b"), "b");
  EXPECT_FALSE(stops.stopped());
}

TEST(StopStringsTest, FirstEndWinsThenTheLongest) {
  StopStrings nested({"abcd", "bc"});
  EXPECT_EQ(nested.Push("xabcd"), "xa");
  EXPECT_TRUE(nested.stopped());
  StopStrings same_end({"c", "abc"});
  EXPECT_EQ(same_end.Push("xabc"), "x");
  EXPECT_TRUE(same_end.stopped());
}

TEST(StopStringsTest, NoStopsPassEverything) {
  StopStrings stops({});
  EXPECT_EQ(stops.Push("a\n"), "a\n");
  EXPECT_EQ(stops.Finish(), "");
}

TEST(StopStringsTest, PartsAreWellFormed) {
  StopStrings stops({"\u00E9x"});
  EXPECT_EQ(stops.Push("a\u00E8"), "a\u00E8");
  EXPECT_EQ(stops.Push("a\u00E9"), "a");
  EXPECT_EQ(stops.Push("\u00E9"), "\u00E9");
  EXPECT_EQ(stops.Push("x"), "");
  EXPECT_TRUE(stops.stopped());
}

TEST(StopStringsTest, BadStopsAreRefused) {
  for (const char* bad : {"", "\xE2\x82"}) {
    try {
      const StopStrings stops({"ok", bad});
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find("Stop string 2 of 2"), std::string::npos);
    }
  }
}

TEST(StopStringsTest, AnyCutGivesThePlainSearchsResult) {
  std::mt19937 random(7);
  const auto word = [&random](size_t length) {
    std::string text;
    for (size_t i = 0; i < length; ++i) text.push_back("ab"[random() % 2]);
    return text;
  };
  for (int round = 0; round < 5000; ++round) {
    const std::string text = word(random() % 30);
    const std::vector<std::string> stops = {word(1 + random() % 8), word(3 + random() % 8)};
    size_t end = text.size() + 1, start = text.size();
    for (const std::string& stop : stops) {
      const size_t found = text.find(stop);
      if (found == std::string::npos || found + stop.size() > end) continue;
      start = found + stop.size() < end ? found : std::min(start, found);
      end = found + stop.size();
    }
    StopStrings matcher(stops);
    std::string shown;
    for (size_t at = 0; at < text.size();) {
      const size_t length = std::min<size_t>(1 + random() % 5, text.size() - at);
      shown += matcher.Push(text.substr(at, length));
      at += length;
    }
    shown += matcher.Finish();
    EXPECT_EQ(shown, text.substr(0, start)) << text << " " << stops[0] << " " << stops[1];
    EXPECT_EQ(matcher.stopped(), end <= text.size());
  }
}

TEST(StopStringsTest, LongSelfSimilarStopsStayLinear) {
  StopStrings stops({std::string(500'000, 'a') + "b"});
  std::string shown;
  for (int i = 0; i < 1000; ++i) shown += stops.Push(std::string(1000, 'a'));
  shown += stops.Finish();
  EXPECT_EQ(shown.size(), 1'000'000u);
}

}  // namespace
}  // namespace bagel
