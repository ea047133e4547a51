// The CPU device: Highway kernels chosen at run time, one thread pool, weights read where they lie.
#ifndef BAGEL_CPU_CPU_OPS_H_
#define BAGEL_CPU_CPU_OPS_H_

#include <memory>

#include "tensor/ops.h"

namespace bagel {

struct CpuOptions {
  int threads = 0;  // 0 = all this process may run on
  // f32 products only. Otherwise products of more than a few rows, and attention, multiply bf16
  // values with f32 sums where the processor has instructions for it.
  bool exact = false;
  bool int8_cache = false;  // keys and values in kI8
};

std::unique_ptr<Ops> MakeCpuOps(const CpuOptions& options);

}  // namespace bagel

#endif  // BAGEL_CPU_CPU_OPS_H_
