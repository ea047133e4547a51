#include "cpu/roofs.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "cpu/scratch.h"
#include "cpu/tile.h"

namespace bagel {
namespace {

constexpr int kRounds = 5;

template <typename Body>
double BestSeconds(const Body& body) {
  double best = 1e30;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::min(best, seconds.count());
  }
  return best;
}

// Sums 64-bit words in eight streams, which the compiler turns into vector loads.
uint64_t SumWords(const uint64_t* words, int64_t count) {
  uint64_t sums[64] = {};
  for (int64_t i = 0; i < count; i += 64) {
    for (int64_t lane = 0; lane < 64; ++lane) sums[lane] += words[i + lane];
  }
  uint64_t sum = 0;
  for (const uint64_t s : sums) sum += s;
  return sum;
}

double ReadBytesPerSecond(ThreadPool& pool) {
  constexpr int64_t kBytes = int64_t{1} << 30, kTaskBytes = int64_t{1} << 20;
  const std::vector<uint64_t> words(kBytes / sizeof(uint64_t), 1);
  std::vector<uint64_t> sums(static_cast<size_t>(pool.threads()));
  const double seconds = BestSeconds([&] {
    pool.ParallelFor(kBytes / kTaskBytes, [&](int64_t task, int thread) {
      constexpr int64_t kWords = kTaskBytes / sizeof(uint64_t);
      sums[static_cast<size_t>(thread)] += SumWords(words.data() + task * kWords, kWords);
    });
  });
  return static_cast<double>(kBytes) / seconds;
}

// 96 rows times 32 columns over 128: both operands fit into the first-level cache.
template <typename T, typename Multiply>
double Flops(ThreadPool& pool, const Multiply& multiply) {
  constexpr int64_t kN = 96, kK = 128, kRepeats = 2000;
  const double seconds = BestSeconds([&] {
    pool.ParallelFor(pool.threads(), [&](int64_t, int) {
      Scratch w, packed, c;
      T* w_values = w.Get<T>(kN * kK);
      T* x_values = packed.Get<T>(kGroup * kK);
      std::fill_n(w_values, kN * kK, T(0));
      std::fill_n(x_values, kGroup * kK, T(0));
      float* sums = c.Get<float>(kN * kGroup);
      for (int64_t i = 0; i < kRepeats; ++i) multiply(w_values, kN, kK, x_values, sums);
    });
  });
  return 2.0 * kN * kK * kGroup * kRepeats * pool.threads() / seconds;
}

}  // namespace

Roofs MeasureCpuRoofs(ThreadPool& pool, bool bf16_products) {
  Roofs roofs;
  roofs.read_bytes_per_second = ReadBytesPerSecond(pool);
  roofs.exact_flops =
      Flops<float>(pool, [](const float* w, int64_t n, int64_t k, const float* x, float* c) {
        MultiplyF32(w, k, 1, n, k, x, c, kGroup, true);
      });
  roofs.fast_flops = roofs.exact_flops;
  if (bf16_products) {
    roofs.fast_flops =
        Flops<uint16_t>(pool, [](const uint16_t* w, int64_t n, int64_t k, const uint16_t* x,
                                 float* c) { MultiplyBF16(w, k, n, k, x, c, kGroup, true); });
  }
  return roofs;
}

}  // namespace bagel
