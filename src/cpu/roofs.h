// The processor's limits, as our own inner loops see them.
#ifndef BAGEL_CPU_ROOFS_H_
#define BAGEL_CPU_ROOFS_H_

#include "base/thread_pool.h"
#include "tensor/ops.h"

namespace bagel {

// Reads 1 GiB with all threads, and multiplies tiles that stay in the first-level cache; the best
// of several rounds each.
Roofs MeasureCpuRoofs(ThreadPool& pool, bool bf16_products);

}  // namespace bagel

#endif  // BAGEL_CPU_ROOFS_H_
