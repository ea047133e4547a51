#include "generate/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/error.h"

namespace bagel {
namespace {

void CheckOption(const char* name, double value, double low, double high) {
  if (value >= low && value <= high) return;
  throw Error(ErrorKind::kInvalidArgument, std::string("option \"") + name + "\" is " +
                                               std::to_string(value) + ", expected " +
                                               std::to_string(low) + " to " + std::to_string(high));
}

// Uniform in [0, 1) from the generator's upper bits: std::uniform_real_distribution may differ from
// one standard library to the next.
double Uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

}  // namespace

void CheckSamplingOptions(const SamplingOptions& options) {
  CheckOption("temperature", options.temperature, 0, 100);
  CheckOption("top_k", options.top_k, 0, std::numeric_limits<int>::max());
  CheckOption("top_p", options.top_p, 0, 1);
  CheckOption("min_p", options.min_p, 0, 1);
  CheckOption("repeat_penalty", options.repeat_penalty, 0.01, 100);
  CheckOption("repeat_last_n", options.repeat_last_n, -1, std::numeric_limits<int>::max());
  CheckOption("presence_penalty", options.presence_penalty, -100, 100);
  CheckOption("frequency_penalty", options.frequency_penalty, -100, 100);
}

Sampler::Sampler(const SamplingOptions& options, uint64_t seed) : options_(options), random_(seed) {
  CheckSamplingOptions(options);
}

void Sampler::Penalize(std::span<float> logits, std::span<const int32_t> history) const {
  if (options_.repeat_penalty == 1.0f && options_.presence_penalty == 0.0f &&
      options_.frequency_penalty == 0.0f)
    return;
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

int32_t Sampler::Next(std::span<const float> logits, std::span<const int32_t> history) {
  CHECK(!logits.empty());
  logits_.assign(logits.begin(), logits.end());
  Penalize(logits_, history);
  for (const float logit : logits_) {
    if (std::isnan(logit)) throw Error(ErrorKind::kInternal, "the model's logits are not numbers");
  }
  if (options_.temperature == 0.0f)
    return static_cast<int32_t>(std::max_element(logits_.begin(), logits_.end()) - logits_.begin());

  order_.resize(logits_.size());
  for (size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<int32_t>(i);
  const auto better = [this](int32_t a, int32_t b) {
    const float x = logits_[static_cast<size_t>(a)], y = logits_[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  };
  size_t kept = order_.size();
  if (options_.top_k > 0) kept = std::min(kept, static_cast<size_t>(options_.top_k));
  std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(kept),
                    order_.end(), better);
  return Draw(std::span(order_).first(kept));
}

int32_t Sampler::Draw(std::span<const int32_t> best_first) {
  const double largest = logits_[static_cast<size_t>(best_first[0])];
  std::vector<double> weights;
  double total = 0;
  for (const int32_t id : best_first) {
    const double logit = logits_[static_cast<size_t>(id)];
    weights.push_back(std::exp((logit - largest) / options_.temperature));
    total += weights.back();
  }
  // top_p: the fewest tokens, best first, whose probabilities reach it. min_p: relative to the
  // best.
  double kept_total = 0;
  size_t kept = 0;
  while (kept < weights.size() && (kept == 0 || (kept_total < options_.top_p * total &&
                                                 weights[kept] >= options_.min_p * weights[0])))
    kept_total += weights[kept++];
  double target = Uniform(random_) * kept_total;
  for (size_t i = 0; i + 1 < kept; ++i) {
    target -= weights[i];
    if (target < 0) return best_first[i];
  }
  return best_first[kept - 1];
}

}  // namespace bagel
