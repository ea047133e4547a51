// The decoder's last outputs of one guidance pass and their differences, from which steps in
// between are extrapolated (TaylorSeer, Liu et al. 2025).
#ifndef BAGEL_MODEL_TAYLOR_HISTORY_H_
#define BAGEL_MODEL_TAYLOR_HISTORY_H_

#include <cstdint>
#include <vector>

#include "tensor/ops.h"
#include "tensor/workspace.h"

namespace bagel {

// Only the last layer's output is kept, since no layer's input matters in a step that is not
// computed. Memory: (highest order + 1) * rows * cols elements of the device's KeptType.
class TaylorHistory {
 public:
  static constexpr int64_t kMaxOrder = 6;

  // Throws kOutOfMemory.
  TaylorHistory(Ops& ops, int64_t rows, int64_t cols);
  ~TaylorHistory();
  TaylorHistory(const TaylorHistory&) = delete;
  TaylorHistory& operator=(const TaylorHistory&) = delete;

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }

  // Takes `output` [rows, cols] f32 as the newest one. A `distance` above 0, that to the one before
  // in steps, also renews the differences, one order more each time: new[0] = output, new[i + 1] =
  // (new[i] - old[i]) / distance. With 0 all differences are dropped. A dry run of `ops` leaves the
  // history as it was.
  void Record(Ops& ops, Workspace& workspace, const Tensor& output, int64_t distance);

  // y = sum_i difference[i] * steps^i / i!, `steps` after the newest output. y: [rows, cols] f32.
  void Extrapolate(Ops& ops, const Tensor& y, int64_t steps) const;

 private:
  Tensor Order(int64_t order) const;

  Ops& ops_;
  int64_t rows_;
  int64_t cols_;
  int64_t orders_ = 0;         // outputs and differences held
  std::vector<void*> memory_;  // by order
};

}  // namespace bagel

#endif  // BAGEL_MODEL_TAYLOR_HISTORY_H_
