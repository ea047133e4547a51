#include "cpu/roofs.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/roofs.cc"
// clang-format off: this one comes first, it includes the file once for each target
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "cpu/scratch.h"
#include "cpu/tile.h"

HWY_BEFORE_NAMESPACE();
namespace bagel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Four vectors at a time; the sum only keeps the loads from being left out.
float SumFloats(const float* values, int64_t count) {
  constexpr hn::CappedTag<float, 16> kTag;
  constexpr auto kLanes = static_cast<int64_t>(hn::MaxLanes(kTag));
  hn::Vec<decltype(kTag)> sums[4] = {hn::Zero(kTag), hn::Zero(kTag), hn::Zero(kTag),
                                     hn::Zero(kTag)};
  for (int64_t i = 0; i < count; i += 4 * kLanes) {
    for (int64_t v = 0; v < 4; ++v)
      sums[v] = hn::Add(sums[v], hn::LoadU(kTag, values + i + v * kLanes));
  }
  return hn::GetLane(
      hn::SumOfLanes(kTag, hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]))));
}

}  // namespace bagel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bagel {

HWY_EXPORT(SumFloats);

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

double ReadBytesPerSecond(ThreadPool& pool) {
  constexpr int64_t kBytes = int64_t{1} << 30, kTaskBytes = int64_t{1} << 20;
  const std::vector<float> values(kBytes / sizeof(float), 1.0f);
  std::vector<float> sums(static_cast<size_t>(pool.threads()));
  const double seconds = BestSeconds([&] {
    pool.ParallelFor(kBytes / kTaskBytes, [&](int64_t task, int thread) {
      constexpr auto kCount = static_cast<int64_t>(kTaskBytes / sizeof(float));
      sums[static_cast<size_t>(thread)] +=
          HWY_DYNAMIC_DISPATCH(SumFloats)(values.data() + task * kCount, kCount);
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
    roofs.fast_flops = Flops<uint16_t>(
        pool, [](const uint16_t* w, int64_t n, int64_t k, const uint16_t* x, float* c) {
          MultiplyBF16(RowsBF16::Tiled(w, k), n, k, x, c, kGroup, true);
        });
  }
  return roofs;
}

}  // namespace bagel
#endif  // HWY_ONCE
