// From logits to the next token: policy only, no model and no device.
#ifndef BAGEL_GENERATE_SAMPLING_H_
#define BAGEL_GENERATE_SAMPLING_H_

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/best_values.h"

namespace bagel {

// Ollama's names and meanings; the defaults are the project's.
struct SamplingOptions {
  float temperature = 0.3f;  // 0 = greedy (argmax, lowest id on a tie)
  int top_k = 40;            // 0 = off
  float top_p = 0.9f;        // 1 = off
  float min_p = 0.0f;        // keep tokens at least this fraction of the best one's probability
  float repeat_penalty = 1.0f;
  int repeat_last_n = 64;  // tokens looked back on; 0 = none, -1 = all
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
};

// Throws kInvalidArgument naming the option, its value and its range (NaN included).
void CheckSamplingOptions(const SamplingOptions& options);

// One text's sampler. The same seed and logits give the same tokens on every machine.
class Sampler {
 public:
  Sampler(const SamplingOptions& options, uint64_t seed);

  // Picks a token from `logits` [vocabulary]. `history` are the text's tokens so far (prompt and
  // generated), which the penalties look at. Order: penalties, top_k, temperature, top_p, min_p, as
  // Ollama applies them. NaN logits throw kInternal.
  int32_t Next(std::span<const float> logits, std::span<const int32_t> history);
  // The same from the best of these logits alone, or nothing where they do not decide. Ids from
  // `vocabulary` on are never picked.
  std::optional<int32_t> Next(const BestValues& best, int32_t vocabulary,
                              std::span<const int32_t> history);

 private:
  struct Candidate {
    int32_t id;
    float logit;
  };

  bool HasPenalties() const;
  // Calls body(id, times) for each id below `vocabulary` that the penalties look at.
  template <typename Body>
  void ForPenalized(std::span<const int32_t> history, size_t vocabulary, const Body& body);
  float Penalized(float logit, int times) const;
  // The logits themselves where no penalty is on.
  std::span<const float> Penalize(std::span<const float> logits, std::span<const int32_t> history);
  // Into block_largest_; NaN throws.
  void FindLargest(std::span<const float> logits);
  // No logit below this can be drawn where `best` is the best, nor changes what is drawn.
  float LeastDrawn(float best) const;
  // The same, and none below the best `kept`.
  float Bound(size_t kept);
  // Of so many tokens, how many top_k leaves.
  size_t Kept(size_t vocabulary) const;
  // The best `kept` of candidates_, best first.
  std::span<const Candidate> BestCandidates(size_t kept);
  int32_t Draw(std::span<const Candidate> best_first);

  SamplingOptions options_;
  std::mt19937_64 random_;
  std::vector<int> counts_;  // by id, of the tokens looked back on; 0 between calls
  std::vector<float> penalized_;
  std::vector<float> block_largest_;
  std::vector<float> best_blocks_;
  std::vector<Candidate> candidates_;
};

}  // namespace bagel

#endif  // BAGEL_GENERATE_SAMPLING_H_
