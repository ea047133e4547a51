// Who runs next: the whole policy.
#ifndef BAGEL_ENGINE_SCHEDULER_H_
#define BAGEL_ENGINE_SCHEDULER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bagel {

// Text tokens that one step prefills; pictures go in whole, since their rows see each other.
inline constexpr int kPrefillChunkTokens = 256;

enum class Phase { kPrefill, kDecode };

// What a running request adds to its next step.
struct NextRows {
  Phase phase;
  int64_t rows;
};

// Chooses the running requests that take part in the next step, by index into `requests` (oldest
// first):
//  - everything that decodes goes together, since a step costs about the same for one and for many;
//  - prefill goes the oldest first, so that its first word comes early, and with it the next oldest
//    as long as all are one chunk;
//  - when there is both, the two take turns, so that neither a long picture stops the others' words
//    nor do they keep a newcomer waiting.
std::vector<size_t> ChooseStep(std::span<const NextRows> requests, bool last_was_prefill);

// Whether the next turn is the picture's, where a picture waits beside texts.
struct TurnState {
  bool text_waits = false;         // a text has work to do
  bool text_before_first = false;  // a text has not come to its first word
  double text_ms = 0;              // the texts' work since the picture's last unit
  double picture_ms = 0;           // how long that unit took
};

// A text before its first word goes first, so that it waits for one unit at most; otherwise texts
// and picture get equal time. Newcomers without end get four fifths, so that the picture goes on.
bool IsPicturesTurn(const TurnState& state);

}  // namespace bagel

#endif  // BAGEL_ENGINE_SCHEDULER_H_
