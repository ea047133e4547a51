// The sampler against one that looks at every logit: not one token may differ.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "generate/sampling.h"

namespace bagel {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class PlainSampler {
 public:
  PlainSampler(const SamplingOptions& options, uint64_t seed) : options_(options), random_(seed) {}

  int32_t Next(std::vector<float> logits, std::span<const int32_t> history) {
    Penalize(logits, history);
    if (options_.temperature == 0.0f)
      return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    std::vector<int32_t> order(logits.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
    const auto better = [&](int32_t a, int32_t b) {
      const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
      return x > y || (x == y && a < b);
    };
    size_t kept = order.size();
    if (options_.top_k > 0) kept = std::min(kept, static_cast<size_t>(options_.top_k));
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                      better);
    order.resize(kept);
    return Draw(logits, order);
  }

 private:
  void Penalize(std::vector<float>& logits, std::span<const int32_t> history) const {
    if (options_.repeat_last_n >= 0 && history.size() > static_cast<size_t>(options_.repeat_last_n))
      history = history.last(static_cast<size_t>(options_.repeat_last_n));
    std::unordered_map<int32_t, int> counts;
    for (const int32_t id : history) ++counts[id];
    for (const auto& [id, count] : counts) {
      if (id < 0 || static_cast<size_t>(id) >= logits.size()) continue;
      float& logit = logits[static_cast<size_t>(id)];
      logit = logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
      logit -= options_.presence_penalty + options_.frequency_penalty * static_cast<float>(count);
    }
  }

  int32_t Draw(const std::vector<float>& logits, const std::vector<int32_t>& best_first) {
    const double largest = logits[static_cast<size_t>(best_first[0])];
    std::vector<double> weights;
    double total = 0;
    for (const int32_t id : best_first) {
      const double logit = logits[static_cast<size_t>(id)];
      weights.push_back(std::exp((logit - largest) / options_.temperature));
      total += weights.back();
    }
    double kept_total = 0;
    size_t kept = 0;
    while (kept < weights.size() && (kept == 0 || (kept_total < options_.top_p * total &&
                                                   weights[kept] >= options_.min_p * weights[0])))
      kept_total += weights[kept++];
    double target = static_cast<double>(random_() >> 11) * 0x1p-53 * kept_total;
    for (size_t i = 0; i + 1 < kept; ++i) {
      target -= weights[i];
      if (target < 0) return best_first[i];
    }
    return best_first[kept - 1];
  }

  SamplingOptions options_;
  std::mt19937_64 random_;
};

BestValues BestOf(const std::vector<float>& logits) {
  std::vector<int32_t> order(logits.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
  const auto logit = [&](int32_t id) { return logits[static_cast<size_t>(id)]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return logit(a) > logit(b); });
  BestValues best{};
  best.floor = logit(order[std::min<size_t>(BestValues::kSought, order.size()) - 1]);
  for (const int32_t id : order) {
    if (logit(id) < best.floor) break;
    if (best.count == BestValues::kMost) {
      best.count = BestValues::kTooMany;
      break;
    }
    best.columns[best.count] = id;
    best.values[best.count++] = logit(id);
  }
  // No order is promised.
  std::reverse(best.columns, best.columns + std::max(best.count, 0));
  std::reverse(best.values, best.values + std::max(best.count, 0));
  return best;
}

constexpr int kKinds = 8;

std::vector<float> Logits(int kind, size_t size, std::mt19937_64& random) {
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(size);
  for (float& logit : logits) {
    logit = normal(random);
    const auto one_of = [&](unsigned count) { return random() % count == 0; };
    if (kind == 1) logit = std::round(logit);  // ties, and zeros of both signs
    if (kind == 2) logit = 1.5f;
    if (kind == 3 && one_of(2)) logit = -kInfinity;
    if (kind == 4 && one_of(50)) logit = kInfinity;
    if (kind == 5) logit = -kInfinity;
    if (kind == 6) logit *= 1e30f;
    if (kind == 7) logit = std::round(logit) * 5;  // some at every distance from the best
  }
  return logits;
}

std::vector<int32_t> History(size_t vocabulary, std::mt19937_64& random) {
  std::vector<int32_t> history(random() % 200);
  // Ids that repeat, and some that the logits lack.
  const size_t ids = std::min<size_t>(vocabulary, 100) + 2;
  for (int32_t& id : history) id = static_cast<int32_t>(random() % ids) - 1;
  return history;
}

// The same sampler goes from one size to the next, and a second one by the best logits where those
// decide, else by all. Returns how often they did.
int ExpectSameTokens(const SamplingOptions& options, const std::vector<size_t>& sizes,
                     std::mt19937_64& random) {
  const uint64_t seed = random();
  Sampler sampler(options, seed), by_best(options, seed);
  PlainSampler plain(options, seed);
  int decided = 0;
  for (const size_t size : sizes) {
    const int kind = static_cast<int>(random() % kKinds);
    const std::vector<float> logits = Logits(kind, size, random);
    const std::vector<int32_t> history = History(size, random);
    // Some ids may have no token.
    const size_t known = size - random() % std::min<size_t>(size, 3);
    const std::vector<float> of_known(logits.begin(),
                                      logits.begin() + static_cast<std::ptrdiff_t>(known));
    const int32_t expected = plain.Next(of_known, history);
    const auto by = [&] {
      return "kind " + std::to_string(kind) + " size " + std::to_string(size) + " temperature " +
             std::to_string(options.temperature) + " top_k " + std::to_string(options.top_k) +
             " top_p " + std::to_string(options.top_p) + " min_p " + std::to_string(options.min_p) +
             " repeat_penalty " + std::to_string(options.repeat_penalty);
    };
    EXPECT_EQ(sampler.Next(of_known, history), expected) << by();
    const std::optional<int32_t> found =
        by_best.Next(BestOf(logits), static_cast<int32_t>(known), history);
    EXPECT_EQ(found ? *found : by_best.Next(of_known, history), expected) << by();
    if (found) ++decided;
  }
  return decided;
}

TEST(SamplingExactTest, EveryMixOfOptions) {
  std::mt19937_64 random(1);
  std::vector<SamplingOptions> penalties(4);
  penalties[1] = {.repeat_penalty = 1.1f};
  penalties[2] = {.repeat_penalty = 0.7f, .repeat_last_n = -1, .presence_penalty = -0.5f};
  penalties[3] = {.repeat_last_n = 5, .frequency_penalty = 0.25f};
  for (SamplingOptions options : penalties) {
    for (const float temperature : {0.0f, 1e-20f, 0.3f, 0.8f, 20.0f}) {
      for (const int top_k : {0, 1, 2, 16, 40, 64, 1000, std::numeric_limits<int>::max()}) {
        for (const float top_p : {0.0f, 0.5f, 0.9f, 1.0f}) {
          for (const float min_p : {0.0f, 1e-17f, 0.05f, 1.0f}) {
            options.temperature = temperature;
            options.top_k = top_k;
            options.top_p = top_p;
            options.min_p = min_p;
            ExpectSameTokens(options, {65, 1, 1000, 63, 64, 130}, random);
          }
        }
      }
    }
  }
}

TEST(SamplingExactTest, WholeVocabulary) {
  std::mt19937_64 random(2);
  const std::vector<size_t> sizes(2 * kKinds, 152064);
  EXPECT_GE(ExpectSameTokens({.temperature = 0}, sizes, random), 8);
  EXPECT_GE(ExpectSameTokens({}, sizes, random), 8);
  ExpectSameTokens({.temperature = 0.8f, .repeat_penalty = 1.1f}, sizes, random);
  ExpectSameTokens({.temperature = 1, .top_k = 3000, .top_p = 1}, sizes, random);
  ExpectSameTokens({.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0.05f}, {152064}, random);
  ExpectSameTokens({.temperature = 0.3f, .top_k = 0}, {152064}, random);
}

TEST(SamplingExactTest, NaNAnywhereIsAnError) {
  for (const size_t size : {1u, 63u, 64u, 65u, 130u}) {
    for (const float temperature : {0.0f, 0.8f}) {
      for (size_t place = 0; place < size; ++place) {
        std::vector<float> logits(size, -kInfinity);
        logits[place] = std::numeric_limits<float>::quiet_NaN();
        Sampler sampler({.temperature = temperature, .repeat_penalty = 1.1f}, 1);
        try {
          sampler.Next(logits, std::vector<int32_t>{0});
          FAIL() << place << " of " << size;
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::kInternal);
        }
      }
    }
  }
}

}  // namespace
}  // namespace bagel
