// A step's spans in a kernel.
#ifndef BAGEL_CUDA_SPANS_CUH_
#define BAGEL_CUDA_SPANS_CUH_

#include "cuda/step_tables.h"

namespace bagel {

struct SpanTables {
  const DeviceSpan* spans;
  const int32_t* pages;
  const QueryTile* tiles;
};

inline SpanTables SpanTablesOf(const StepTables& tables) {
  return {tables.spans, tables.pages, tables.tiles};
}

// The step's row that holds token past + index, see Span::Row.
__device__ inline int64_t RowOf(const DeviceSpan& span, int index) {
  return index < span.lead ? span.lead_row + index : span.first_row + index - span.lead;
}
// Tokens that row `index` of the span sees.
__device__ inline int KeysOf(const DeviceSpan& span, int index) {
  return span.past + (span.causal != 0 ? index + 1 : span.rows);
}
// The page in which token `token` of the span's context lies.
__device__ inline int PageOf(const SpanTables& tables, const DeviceSpan& span, int token) {
  return tables.pages[span.first_page + token / static_cast<int>(kKvPageTokens)];
}

}  // namespace bagel

#endif  // BAGEL_CUDA_SPANS_CUH_
