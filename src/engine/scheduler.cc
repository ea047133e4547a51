#include "engine/scheduler.h"

#include <algorithm>

namespace bagel {

std::vector<size_t> ChooseStep(std::span<const Phase> phases, bool last_was_prefill) {
  std::vector<size_t> decoding;
  for (size_t i = 0; i < phases.size(); ++i) {
    if (phases[i] == Phase::kDecode) decoding.push_back(i);
  }
  const auto prefill = std::find(phases.begin(), phases.end(), Phase::kPrefill);
  if (prefill == phases.end() || (last_was_prefill && !decoding.empty())) return decoding;
  return {static_cast<size_t>(prefill - phases.begin())};
}

bool IsPicturesTurn(const TurnState& state) {
  constexpr double kNewcomersShare = 4;
  if (!state.text_waits) return true;
  return state.text_ms > state.picture_ms * (state.text_before_first ? kNewcomersShare : 1);
}

}  // namespace bagel
