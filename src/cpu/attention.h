// Attention over blocks of 128 keys, 32 queries at a time, without a matrix of scores.
#ifndef BAGEL_CPU_ATTENTION_H_
#define BAGEL_CPU_ATTENTION_H_

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/scratch.h"
#include "tensor/ops.h"

namespace bagel {

// One block: keys k [128][k_dim], and values turned: v [v_dim][128]. Elements are f32 or bf16.
template <typename T>
struct KeyValueBlock {
  const T* k;
  const T* v;
};

class CpuAttention {
 public:
  explicit CpuAttention(ThreadPool& pool);

  // Ops::KvAppend, Attention and FullAttention. In the cache a page holds K [128][head_dim] and V
  // turned [head_dim][128] for each kv head; T is the cache's element type, or what elements of kI8
  // become for Attend.
  template <typename T>
  void Append(const Step& step, const KvLayer& cache, const Tensor& k, const Tensor& v);
  template <typename T>
  void Attend(const Step& step, const KvLayer& cache, const Tensor& q, const Tensor& y);
  template <typename T>
  void AttendFull(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads,
                  const Tensor& y);

 private:
  struct Columns;
  template <typename T, typename BlockAt>
  void AttendColumns(const Columns& columns, int64_t head_dim, const BlockAt& block_at, int thread);
  // A kv head's first `keys` keys and all values in a page of kI8, until the thread's next call.
  template <typename T>
  KeyValueBlock<T> Unpack(const KvLayer& cache, int64_t page, int64_t head, int64_t keys,
                          int thread);

  ThreadPool& pool_;
  Scratch blocks_;
  std::vector<Scratch> threads_, unpacked_;
};

}  // namespace bagel

#endif  // BAGEL_CPU_ATTENTION_H_
