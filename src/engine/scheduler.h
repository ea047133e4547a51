// Who runs next: the whole policy.
#ifndef BAGEL_ENGINE_SCHEDULER_H_
#define BAGEL_ENGINE_SCHEDULER_H_

#include <cstddef>
#include <span>
#include <vector>

namespace bagel {

// Text tokens that one step prefills; pictures go in whole, since their rows see each other.
inline constexpr int kPrefillChunkTokens = 256;

enum class Phase { kPrefill, kDecode };

// Chooses the running requests that take part in the next step, by index into `phases` (oldest
// first):
//  - everything that decodes goes together, since a step costs about the same for one and for many;
//  - prefill goes one request at a time, the oldest first, so that its first word comes early;
//  - when there is both, the two take turns, so that neither a long picture stops the others' words
//    nor do they keep a newcomer waiting.
std::vector<size_t> ChooseStep(std::span<const Phase> phases, bool last_was_prefill);

}  // namespace bagel

#endif  // BAGEL_ENGINE_SCHEDULER_H_
