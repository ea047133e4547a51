// 3x3 convolutions as products of the kernel with packed pixels (an implicit GEMM), or in f32 of
// what both are transformed to.
#ifndef BAGEL_CPU_CONV_H_
#define BAGEL_CPU_CONV_H_

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/scratch.h"
#include "tensor/conv.h"
#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace bagel {

class CpuConv {
 public:
  // `bf16_products`: pixels and weights are multiplied as bf16 values with f32 sums.
  CpuConv(ThreadPool& pool, bool bf16_products);

  // Ops::Conv2d and, with `add`, Ops::Conv2dAdd.
  void Run(const Tensor& y, const Tensor& x, const Weight& weight, const ConvGeometry& geometry,
           const Tensor& factors, bool add);

 private:
  struct PerThread {
    Scratch packed, numbers, sums;
  };

  template <typename T>
  void RunTaps(const Tensor& y, const Tensor& x, const Weight& weight, const ConvGeometry& geometry,
               const Tensor& factors, bool add);
  template <typename Multiply>
  void ForBands(const Tensor& y, const Tensor& x, const ConvGeometry& geometry,
                const Tensor& factors, const Multiply& multiply);
  template <typename T>
  const T* PrepareTaps(const Weight& weight, int64_t channels, ConvSampling sampling);
  const float* PrepareTiles(const Weight& weight, int64_t channels);
  void FillBand(const Tensor& x, const ConvGeometry& geometry, const Tensor& factors, int64_t rows);
  template <typename T>
  void MultiplyTaps(const Tensor& y, const T* w, const Weight& weight, const ConvGeometry& geometry,
                    int64_t channels, bool add);
  void MultiplyTiles(const Tensor& y, const float* w, const Weight& weight,
                     const ConvGeometry& geometry, int64_t channels, bool add);
  const float* PackTiles(const ConvGeometry& geometry, int64_t channels, int64_t first,
                         int64_t count, PerThread& scratch);

  ThreadPool& pool_;
  bool bf16_products_;
  Scratch weight_, band_;
  std::vector<PerThread> threads_;
};

}  // namespace bagel

#endif  // BAGEL_CPU_CONV_H_
