// A step as kernels see it: where each row stands and where its keys and values go, in the device's
// memory, so that a recorded step can be replayed for other positions.
#ifndef BAGEL_CUDA_STEP_TABLES_H_
#define BAGEL_CUDA_STEP_TABLES_H_

#include <cstdint>

#include "cuda/context.h"
#include "cuda/upload.h"
#include "tensor/step.h"

namespace bagel {

// A span on the device.
struct DeviceSpan {
  int32_t first_row;
  int32_t rows;
  int32_t past;
  int32_t causal;
  int32_t lead;
  int32_t lead_row;
  int32_t first_page;  // index into the table of pages
  int32_t unused;
};

// Rows [first, first + kTileRows) of a span, or what there is of them.
struct QueryTile {
  int32_t span;
  int32_t first;
};

// Device memory throughout; valid until the next BeginStep.
struct StepTables {
  const int32_t* positions = nullptr;  // [rows]
  const int32_t* row_pages = nullptr;  // [rows], the page that a row's key goes to
  const int32_t* row_slots = nullptr;  // [rows], and its place there
  const DeviceSpan* spans = nullptr;
  const int32_t* pages = nullptr;  // of all spans
  const QueryTile* tiles = nullptr;
  int64_t rows = 0;
  int64_t span_count = 0;
  int64_t tile_count = 0;
  int64_t page_count = 0;
  bool single_rows = false;  // every span has one row
};

// Builds the tables of one step after another in the same memory.
class StepTableBuilder {
 public:
  // Rows of a query tile.
  static constexpr int64_t kTileRows = 128;

  // Queues the copy. The memory stays where it is for steps that are no larger than one before.
  const StepTables& Build(const Step& step, Uploader& uploader);
  const StepTables& tables() const { return tables_; }

 private:
  DeviceBuffer memory_;
  StepTables tables_;
};

}  // namespace bagel

#endif  // BAGEL_CUDA_STEP_TABLES_H_
