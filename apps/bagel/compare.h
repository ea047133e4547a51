// Two models side by side: how far the answers of one are from the other's.
#ifndef BAGEL_APPS_BAGEL_COMPARE_H_
#define BAGEL_APPS_BAGEL_COMPARE_H_

#include <filesystem>
#include <string>
#include <vector>

#include "formats/json.h"

namespace bagel {

// One picture and prompt. Tokens are those of a's greedy answer.
struct Comparison {
  std::string picture;  // its path
  std::string prompt;
  std::string text_a, text_b;     // each model's own answer
  int64_t first_difference = -1;  // the first token at which the answers part; -1 = they are equal
  int64_t tokens = 0;
  int64_t agreeing = 0;  // tokens that b chooses as well when it is fed a's text
  double mean_kl = 0;    // of b's next-token distribution from a's, in nats, fed a's text
  double seconds_a = 0, seconds_b = 0;
};

Json ToJson(const Comparison& comparison);
Comparison ComparisonFromJson(const Json& json, const std::string& where);

// Means and sums over all.
Json Summary(const std::vector<Comparison>& comparisons);

// The pictures with both texts, from the first difference on marked.
std::string ComparisonPage(const std::string& name_a, const std::string& name_b,
                           const std::vector<Comparison>& comparisons);

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_COMPARE_H_
