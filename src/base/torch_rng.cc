#include "base/torch_rng.h"

#include <cmath>
#include <cstddef>
#include <numbers>

#include "base/error.h"

namespace bagel {
namespace {

constexpr size_t kBlock = 16;

// 16 uniform numbers of [0, 1) become 16 normal ones: the first half gives the radii, the second
// the angles.
void BoxMuller(std::span<float> block) {
  for (size_t i = 0; i < kBlock / 2; ++i) {
    const float radius = std::sqrt(-2.0f * std::log(1.0f - block[i]));
    const float angle = 2.0f * std::numbers::pi_v<float> * block[i + kBlock / 2];
    block[i] = radius * std::cos(angle);
    block[i + kBlock / 2] = radius * std::sin(angle);
  }
}

}  // namespace

void TorchRng::Normal(std::span<float> values) {
  CHECK(values.size() >= kBlock);
  const auto fill = [&](std::span<float> part) {
    for (float& value : part) value = static_cast<float>(words_() & 0xFFFFFFu) * 0x1p-24f;
  };
  fill(values);
  const size_t whole = values.size() / kBlock * kBlock;
  for (size_t i = 0; i < whole; i += kBlock) BoxMuller(values.subspan(i, kBlock));
  if (whole == values.size()) return;
  fill(values.last(kBlock));
  BoxMuller(values.last(kBlock));
}

}  // namespace bagel
