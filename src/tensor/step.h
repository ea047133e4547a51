// The shape of one forward: which rows belong to which context, and where they stand in it.
#ifndef BAGEL_TENSOR_STEP_H_
#define BAGEL_TENSOR_STEP_H_

#include <cstdint>
#include <vector>

namespace bagel {

// Tokens in one page of the key/value cache.
inline constexpr int64_t kKvPageTokens = 128;

// Rows of a step that belong to one context, in the order of its tokens: `lead` rows from lead_row
// on, then the others from first_row on. Leads let the markers of several pictures lie together,
// apart from the rows that another expert takes.
struct Span {
  int64_t first_row = 0;
  int64_t rows = 0;  // leads included
  int64_t past = 0;  // tokens of the context before these rows
  bool causal = true;
  // Page numbers of the context, enough for past + rows tokens. Token i of the context lies in page
  // pages[i / kKvPageTokens] at offset i % kKvPageTokens.
  std::vector<int32_t> pages;
  int64_t lead = 0;
  int64_t lead_row = 0;

  // The step's row that holds token past + index of the context.
  int64_t Row(int64_t index) const {
    return index < lead ? lead_row + index : first_row + index - lead;
  }
};

// Rows of several texts and pictures that go through the layers together. Each row sees its own
// context's past, and inside its span the rows up to itself (causal) or all of them.
struct Step {
  std::vector<int32_t> positions;  // rope position of every row
  std::vector<Span> spans;         // their leads in order, then their other rows, cover [0, rows())
  int64_t rows() const { return static_cast<int64_t>(positions.size()); }
};

}  // namespace bagel

#endif  // BAGEL_TENSOR_STEP_H_
