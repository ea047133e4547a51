#include "text/bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>
#include <string>

namespace bagel {
namespace {

using testing::ElementsAre;

Bpe MakeByteBpe() {
  std::array<int32_t, 256> byte_ids;
  for (size_t byte = 0; byte < byte_ids.size(); ++byte) byte_ids[byte] = static_cast<int32_t>(byte);
  return Bpe(byte_ids);
}

std::vector<int32_t> EncodeOne(const Bpe& bpe, std::string_view piece) {
  std::vector<int32_t> ids;
  bpe.Encode({&piece, 1}, ids);
  return ids;
}

TEST(BpeTest, LowestRankFirstThenLeftmost) {
  Bpe bpe = MakeByteBpe();
  EXPECT_TRUE(bpe.AddMerge('b', 'c', 300));
  EXPECT_TRUE(bpe.AddMerge('a', 'b', 301));
  EXPECT_TRUE(bpe.AddMerge('a', 'a', 302));
  EXPECT_TRUE(bpe.AddMerge(302, 302, 303));
  EXPECT_FALSE(bpe.AddMerge('a', 'b', 304));
  EXPECT_THAT(EncodeOne(bpe, ""), ElementsAre());
  EXPECT_THAT(EncodeOne(bpe, "abc"), ElementsAre('a', 300));
  EXPECT_THAT(EncodeOne(bpe, "abab"), ElementsAre(301, 301));
  EXPECT_THAT(EncodeOne(bpe, "aaaaa"), ElementsAre(303, 'a'));
}

TEST(BpeTest, PiecesDoNotMerge) {
  Bpe bpe = MakeByteBpe();
  bpe.AddMerge('a', 'b', 300);
  const std::vector<std::string_view> pieces = {"a", "b", "ab"};
  std::vector<int32_t> ids = {1};
  bpe.Encode(pieces, ids);
  EXPECT_THAT(ids, ElementsAre(1, 'a', 'b', 300));
}

struct Merge {
  size_t rank;
  int32_t result;
};

std::vector<int32_t> ScanForBestPair(const std::map<std::pair<int32_t, int32_t>, Merge>& merges,
                                     const std::string& text) {
  std::vector<int32_t> ids;
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  while (true) {
    size_t best = 0, best_rank = std::numeric_limits<size_t>::max();
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto found = merges.find({ids[i], ids[i + 1]});
      if (found == merges.end() || found->second.rank >= best_rank) continue;
      best = i;
      best_rank = found->second.rank;
    }
    if (best_rank == std::numeric_limits<size_t>::max()) return ids;
    ids[best] = merges.at({ids[best], ids[best + 1]}).result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(BpeTest, SameAsScanningForTheBestPair) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    Bpe bpe = MakeByteBpe();
    std::map<std::pair<int32_t, int32_t>, Merge> merges;
    std::vector<int32_t> known = {'a', 'b', 'c'};
    for (int32_t result = 300; result < 320; ++result) {
      const std::pair pair{known[random() % known.size()], known[random() % known.size()]};
      if (!merges.emplace(pair, Merge{merges.size(), result}).second) continue;
      EXPECT_TRUE(bpe.AddMerge(pair.first, pair.second, result));
      known.push_back(result);
    }
    for (int repeat = 0; repeat < 10; ++repeat) {
      std::string text(random() % 40, ' ');
      for (char& c : text) c = "abc"[random() % 3];
      EXPECT_EQ(EncodeOne(bpe, text), ScanForBestPair(merges, text)) << text;
    }
  }
}

}  // namespace
}  // namespace bagel
