#include "cuda/attention.h"

#include "cuda/attention_plain.h"

namespace bagel {

void CudaAttention::Attend(const Tensor& y, const Tensor& q, const KvLayer& cache,
                           const StepTables& tables) {
  AttendPlain(context_.stream(), y, q, cache, tables);
}

void CudaAttention::AttendFull(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                               int64_t heads) {
  AttendFullPlain(context_.stream(), y, q, k, v, heads);
}

}  // namespace bagel
