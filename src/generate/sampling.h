// From logits to the next token: policy only, no model and no device.
#ifndef BAGEL_GENERATE_SAMPLING_H_
#define BAGEL_GENERATE_SAMPLING_H_

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

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

 private:
  void Penalize(std::span<float> logits, std::span<const int32_t> history) const;
  int32_t Draw(std::span<const int32_t> best_first);

  SamplingOptions options_;
  std::mt19937_64 random_;
  std::vector<float> logits_;
  std::vector<int32_t> order_;
};

}  // namespace bagel

#endif  // BAGEL_GENERATE_SAMPLING_H_
