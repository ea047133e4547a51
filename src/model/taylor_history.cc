#include "model/taylor_history.h"

#include <algorithm>
#include <utility>

namespace bagel {
namespace {

constexpr int64_t kChunkRows = 256;

}  // namespace

TaylorHistory::TaylorHistory(Ops& ops, int64_t rows, int64_t cols)
    : ops_(ops), rows_(rows), cols_(cols) {}

TaylorHistory::~TaylorHistory() {
  for (void* memory : memory_) ops_.Free(memory);
}

Tensor TaylorHistory::Order(int64_t order) const {
  return {memory_[static_cast<size_t>(order)], ops_.KeptType(), rows_, cols_, cols_};
}

void TaylorHistory::Record(Ops& ops, Workspace& workspace, const Tensor& output, int64_t distance) {
  CHECK(output.rows == rows_ && output.cols == cols_);
  const int64_t orders = distance > 0 ? std::min(orders_ + 1, kMaxOrder + 1) : 1;
  while (static_cast<int64_t>(memory_.size()) < orders)
    memory_.push_back(
        ops_.Allocate(static_cast<size_t>(rows_ * cols_) * DTypeSize(ops_.KeptType())));
  const Workspace::Scope scope(workspace);
  Tensor current = workspace.Take(DType::kF32, kChunkRows, cols_);
  Tensor next = workspace.Take(DType::kF32, kChunkRows, cols_);
  for (int64_t first = 0; first < rows_; first += kChunkRows) {
    const int64_t count = std::min(kChunkRows, rows_ - first);
    ops.Copy(current.Rows(0, count), output.Rows(first, count));
    for (int64_t i = 0; i < orders; ++i) {
      const Tensor stored = Order(i).Rows(first, count);
      if (i + 1 < orders) {
        const float factor = 1.0f / static_cast<float>(distance);
        ops.Copy(next.Rows(0, count), current.Rows(0, count));
        ops.Blend(next.Rows(0, count), stored, factor, -factor);
      }
      ops.Copy(stored, current.Rows(0, count));
      std::swap(current, next);
    }
  }
  if (!workspace.measuring()) orders_ = orders;
}

void TaylorHistory::Extrapolate(Ops& ops, const Tensor& y, int64_t steps) const {
  CHECK(orders_ > 0 && y.rows == rows_ && y.cols == cols_);
  ops.Copy(y, Order(0));
  double factor = 1;
  for (int64_t i = 1; i < orders_; ++i) {
    factor *= static_cast<double>(steps) / static_cast<double>(i);
    ops.Blend(y, Order(i), 1.0f, static_cast<float>(factor));
  }
}

}  // namespace bagel
