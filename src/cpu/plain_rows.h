// Row operations that wait for memory, not for arithmetic: plain loops that compilers vectorise.
#ifndef BAGEL_CPU_PLAIN_ROWS_H_
#define BAGEL_CPU_PLAIN_ROWS_H_

#include <cstdint>

#include "base/thread_pool.h"
#include "tensor/tensor.h"

namespace bagel {

// y = x * scale + shift; y may be x.
void ScaleShiftRow(float* y, const float* x, const float* scale, const float* shift, int64_t count);

// y = keep * y + factor * x, x f32 or bf16; with keep 0, y may hold anything.
void BlendRow(float* y, const float* x, int64_t count, float keep, float factor);
void BlendRow(float* y, const uint16_t* x, int64_t count, float keep, float factor);

// Ops::GroupMoments. The result does not depend on the number of threads.
void MeasureGroups(ThreadPool& pool, const Tensor& x, int64_t groups, float* mean, float* variance);

}  // namespace bagel

#endif  // BAGEL_CPU_PLAIN_ROWS_H_
