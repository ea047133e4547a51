// The shape of one forward: which rows belong to which context, and where they stand in it.
#ifndef BAGEL_TENSOR_STEP_H_
#define BAGEL_TENSOR_STEP_H_

#include <cstdint>
#include <vector>

namespace bagel {

// Tokens in one page of the key/value cache.
inline constexpr int64_t kKvPageTokens = 128;

// Consecutive rows of a step that belong to one context.
struct Span {
  int64_t first_row = 0;
  int64_t rows = 0;
  int64_t past = 0;  // tokens of the context before these rows
  bool causal = true;
  // Page numbers of the context, enough for past + rows tokens. Token i of the context lies in page
  // pages[i / kKvPageTokens] at offset i % kKvPageTokens.
  std::vector<int32_t> pages;
};

// Rows of several texts and pictures that go through the layers together. Each row sees its own
// context's past, and inside its span the rows up to itself (causal) or all of them.
struct Step {
  std::vector<int32_t> positions;  // rope position of every row
  std::vector<Span> spans;         // cover rows [0, rows()) in order
  int64_t rows() const { return static_cast<int64_t>(positions.size()); }
};

}  // namespace bagel

#endif  // BAGEL_TENSOR_STEP_H_
