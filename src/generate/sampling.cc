#include "generate/sampling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <utility>

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

// The largest of each block is found first: most blocks hold nothing that can be drawn.
constexpr size_t kBlock = 64;

// Compilers keep the order of comparisons of floats, so four at a time are asked for.
constexpr size_t kLanes = 4;
using Lanes __attribute__((vector_size(kLanes * sizeof(float)))) = float;

[[noreturn]] void ThrowNotNumbers() {
  throw Error(ErrorKind::kInternal, "the model's logits are not numbers");
}

float LargestOfBlock(const float* values) {
  Lanes largest, lanes;
  std::memcpy(&largest, values, sizeof(largest));
  auto not_numbers = largest != largest;
  for (size_t i = kLanes; i < kBlock; i += kLanes) {
    std::memcpy(&lanes, values + i, sizeof(lanes));
    largest = largest > lanes ? largest : lanes;
    not_numbers |= lanes != lanes;
  }
  if (not_numbers[0] | not_numbers[1] | not_numbers[2] | not_numbers[3]) ThrowNotNumbers();
  return std::max({largest[0], largest[1], largest[2], largest[3]});
}

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

bool Sampler::HasPenalties() const {
  return options_.repeat_penalty != 1.0f || options_.presence_penalty != 0.0f ||
         options_.frequency_penalty != 0.0f;
}

template <typename Body>
void Sampler::ForPenalized(std::span<const int32_t> history, size_t vocabulary, const Body& body) {
  if (options_.repeat_last_n >= 0 && history.size() > static_cast<size_t>(options_.repeat_last_n))
    history = history.last(static_cast<size_t>(options_.repeat_last_n));
  counts_.resize(vocabulary);
  const auto known = [&](int32_t id) { return id >= 0 && static_cast<size_t>(id) < vocabulary; };
  for (const int32_t id : history) {
    if (known(id)) ++counts_[static_cast<size_t>(id)];
  }
  for (const int32_t id : history) {
    const int count = known(id) ? std::exchange(counts_[static_cast<size_t>(id)], 0) : 0;
    if (count > 0) body(id, count);
  }
}

float Sampler::Penalized(float logit, int times) const {
  logit = logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
  return logit -
         (options_.presence_penalty + options_.frequency_penalty * static_cast<float>(times));
}

std::span<const float> Sampler::Penalize(std::span<const float> logits,
                                         std::span<const int32_t> history) {
  if (!HasPenalties()) return logits;
  penalized_.assign(logits.begin(), logits.end());
  ForPenalized(history, logits.size(), [&](int32_t id, int times) {
    float& logit = penalized_[static_cast<size_t>(id)];
    logit = Penalized(logit, times);
  });
  return penalized_;
}

int32_t Sampler::Next(std::span<const float> logits, std::span<const int32_t> history) {
  CHECK(!logits.empty());
  logits = Penalize(logits, history);
  FindLargest(logits);

  const size_t kept = Kept(logits.size());
  const float bound = Bound(kept);
  candidates_.clear();
  for (size_t block = 0; block < block_largest_.size(); ++block) {
    if (block_largest_[block] < bound) continue;
    const size_t end = std::min((block + 1) * kBlock, logits.size());
    for (size_t i = block * kBlock; i < end; ++i) {
      if (logits[i] >= bound) candidates_.push_back({static_cast<int32_t>(i), logits[i]});
    }
  }
  return Draw(BestCandidates(kept));
}

std::optional<int32_t> Sampler::Next(const BestValues& best, int32_t vocabulary,
                                     std::span<const int32_t> history) {
  if (best.count == BestValues::kNotNumbers) ThrowNotNumbers();
  // Other logits could be raised.
  if (options_.repeat_penalty < 1 || options_.presence_penalty < 0 ||
      options_.frequency_penalty < 0)
    return std::nullopt;
  candidates_.clear();
  for (int32_t i = 0; i < best.count; ++i)
    if (best.columns[i] < vocabulary) candidates_.push_back({best.columns[i], best.values[i]});
  if (HasPenalties()) {
    std::sort(candidates_.begin(), candidates_.end(),
              [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
    ForPenalized(history, static_cast<size_t>(vocabulary), [&](int32_t id, int times) {
      const auto found = std::lower_bound(
          candidates_.begin(), candidates_.end(), id,
          [](const Candidate& candidate, int32_t sought) { return candidate.id < sought; });
      if (found != candidates_.end() && found->id == id)
        found->logit = Penalized(found->logit, times);
    });
  }
  if (candidates_.empty()) return std::nullopt;

  const size_t kept = Kept(static_cast<size_t>(vocabulary));
  std::span<const Candidate> found = BestCandidates(kept);
  const float bound = LeastDrawn(found[0].logit);
  const bool all_kept = found.size() == kept && found.back().logit >= best.floor;
  if (!all_kept && bound < best.floor) return std::nullopt;
  while (found.back().logit < bound) found = found.first(found.size() - 1);
  return Draw(found);
}

size_t Sampler::Kept(size_t vocabulary) const {
  return options_.top_k == 0 ? vocabulary
                             : std::min(vocabulary, static_cast<size_t>(options_.top_k));
}

std::span<const Sampler::Candidate> Sampler::BestCandidates(size_t kept) {
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
  };
  kept = std::min(kept, candidates_.size());
  const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(kept);
  std::partial_sort(candidates_.begin(), end, candidates_.end(), better);
  return std::span(candidates_).first(kept);
}

void Sampler::FindLargest(std::span<const float> logits) {
  block_largest_.clear();
  for (; logits.size() >= kBlock; logits = logits.subspan(kBlock))
    block_largest_.push_back(LargestOfBlock(logits.data()));
  if (logits.empty()) return;
  std::array<float, kBlock> rest;
  rest.fill(-std::numeric_limits<float>::infinity());
  std::copy(logits.begin(), logits.end(), rest.begin());
  block_largest_.push_back(LargestOfBlock(rest.data()));
}

float Sampler::LeastDrawn(float best) const {
  // Weights are shares of the best one's. Below 2^-54 they are lost in the rounding of any total
  // that holds the best one; and nothing below min_p is drawn, but top_p wants it in the total.
  double least = 0x1p-54;
  if (options_.top_p == 1.0f) least = std::max<double>(least, options_.min_p);
  return static_cast<float>(best + options_.temperature * (std::log(least) - 0.001));
}

float Sampler::Bound(size_t kept) {
  const float bound = LeastDrawn(*std::max_element(block_largest_.begin(), block_largest_.end()));
  if (kept > block_largest_.size()) return bound;
  best_blocks_.resize(kept);
  std::partial_sort_copy(block_largest_.begin(), block_largest_.end(), best_blocks_.begin(),
                         best_blocks_.end(), std::greater<>());
  return std::max(bound, best_blocks_.back());
}

int32_t Sampler::Draw(std::span<const Candidate> best_first) {
  if (options_.temperature == 0.0f) return best_first[0].id;
  const double largest = best_first[0].logit;
  std::vector<double> weights;
  double total = 0;
  for (const Candidate& candidate : best_first) {
    weights.push_back(std::exp((candidate.logit - largest) / options_.temperature));
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
    if (target < 0) return best_first[i].id;
  }
  return best_first[kept - 1].id;
}

}  // namespace bagel
