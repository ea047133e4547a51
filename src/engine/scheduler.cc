#include "engine/scheduler.h"

namespace bagel {

std::vector<size_t> ChooseStep(std::span<const NextRows> requests, bool last_was_prefill) {
  std::vector<size_t> decoding, reading;
  int64_t rows = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    if (requests[i].phase == Phase::kDecode) {
      decoding.push_back(i);
    } else {
      rows += requests[i].rows;
      if (reading.empty() || rows <= kPrefillChunkTokens) reading.push_back(i);
    }
  }
  if (reading.empty() || (last_was_prefill && !decoding.empty())) return decoding;
  return reading;
}

bool IsPicturesTurn(const TurnState& state) {
  constexpr double kNewcomersShare = 4;
  if (!state.text_waits) return true;
  return state.text_ms > state.picture_ms * (state.text_before_first ? kNewcomersShare : 1);
}

}  // namespace bagel
