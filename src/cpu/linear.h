// y = x W^T + bias for every weight format and row count.
#ifndef BAGEL_CPU_LINEAR_H_
#define BAGEL_CPU_LINEAR_H_

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/nf4.h"
#include "cpu/scratch.h"
#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace bagel {

class CpuLinear {
 public:
  // `bf16_products`: more than a few rows are multiplied as bf16 values with f32 sums.
  // `byte_products`: a few rows are multiplied with NF4 weights as 8-bit integers.
  CpuLinear(ThreadPool& pool, bool bf16_products, bool byte_products);

  // Ops::Linear and, with `add`, Ops::LinearAdd.
  void Run(const Tensor& y, const Tensor& x, const Weight& weight, bool add);

 private:
  struct PerThread {
    Scratch weights, sums, exact, rounded;
  };

  void RunFewRows(const Tensor& y, const Tensor& x, const Weight& weight, bool add);
  template <typename T>
  void RunManyRows(const Tensor& y, const Tensor& x, const Weight& weight, bool add);
  template <typename T>
  void RunColumnBlock(const Tensor& y, const Tensor& x, const Weight& weight, bool add,
                      int64_t first, int64_t count);

  static void UnpackRows(const Weight& weight, int64_t first_row, int64_t rows, int64_t first,
                         int64_t count, PerThread& scratch, float* w);
  static void UnpackRows(const Weight& weight, int64_t first_row, int64_t rows, int64_t first,
                         int64_t count, PerThread& scratch, uint16_t* w);

  ThreadPool& pool_;
  bool bf16_products_, byte_products_;
  Nf4Activations nf4_;
  Scratch packed_;
  std::vector<PerThread> threads_;
};

}  // namespace bagel

#endif  // BAGEL_CPU_LINEAR_H_
