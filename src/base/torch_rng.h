// The random numbers that PyTorch draws on a CPU, so that a seed gives the noise it gives there.
#ifndef BAGEL_BASE_TORCH_RNG_H_
#define BAGEL_BASE_TORCH_RNG_H_

#include <cstdint>
#include <random>
#include <span>

namespace bagel {

// torch.manual_seed(seed), then torch.randn(...) in f32 on the CPU, to about 1e-6.
class TorchRng {
 public:
  // Of the seed, the low 32 bits count, as in PyTorch.
  explicit TorchRng(uint64_t seed) : words_(static_cast<uint32_t>(seed)) {}

  // Fills `values`, at least 16 of them, with standard normal numbers: uniform ones first, then
  // Box-Muller in blocks of 16, the last block drawn anew where it overlaps the one before.
  // Source: aten/src/ATen/native/cpu/DistributionTemplates.h, normal_fill.
  void Normal(std::span<float> values);

 private:
  std::mt19937 words_;
};

}  // namespace bagel

#endif  // BAGEL_BASE_TORCH_RNG_H_
