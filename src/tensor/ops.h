// What a device can do. The declarations here are the contract; RefOps is the executable form of
// it.
//
// Public methods check shapes and types once and call the private virtual Do... of the device.
// Conventions: activations are [rows, channels] views; `x` may be the same memory as `y` only where
// "in place" is said; sums are accumulated in f32 or wider; nothing is allocated by an op that a
// step calls. One thread at a time uses an Ops.
#ifndef BAGEL_TENSOR_OPS_H_
#define BAGEL_TENSOR_OPS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "tensor/step.h"
#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace bagel {

// One layer's keys and values in pages. k and v each hold
// [pages][kv_heads][kKvPageTokens][head_dim] elements of `dtype`.
struct KvLayer {
  void* k = nullptr;
  void* v = nullptr;
  DType dtype = DType::kF32;
  int64_t pages = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
};

// What a device can do at best, measured now.
struct Roofs {
  double read_bytes_per_second = 0;
  double exact_flops = 0;  // multiply-adds counted twice, in the type of the exact path
  double fast_flops = 0;   // in the type of the fast path; the same where there is none
};

class Ops {
 public:
  virtual ~Ops() = default;

  // ---- The device ----

  // In words, for people: "cpu (2 threads, bf16 products)".
  virtual std::string Name() const = 0;
  // The type in which activations between ops are stored.
  virtual DType ActivationType() const { return DType::kF32; }
  virtual DType KvType() const { return DType::kF32; }
  // Takes about a second.
  virtual Roofs MeasureRoofs() = 0;
  // 64-byte aligned device memory, contents undefined. Throws kOutOfMemory with the size.
  virtual void* Allocate(size_t bytes) = 0;
  virtual void Free(void* memory) = 0;
  virtual void CopyToDevice(void* device, const void* host, size_t bytes) = 0;
  virtual void CopyToHost(void* host, const void* device, size_t bytes) = 0;

  // Makes `step` the one that HeadNormRope, KvAppend and Attention refer to, until the next call.
  void BeginStep(const Step& step);
  const Step& step() const { return step_; }

  // ---- Rows in and out ----

  // y[r] = table[ids[r]]; ids are host memory, each in [0, table.out). y: [rows, table.in].
  void Embed(const Tensor& y, const Weight& table, std::span<const int32_t> ids);
  // y[r] += table[ids[r]]; the same, added in place.
  void AddRows(const Tensor& y, const Weight& table, std::span<const int32_t> ids);

  // ---- Products ----

  // y = x W^T + bias. x: [rows, W.in], y: [rows, W.out].
  void Linear(const Tensor& y, const Tensor& x, const Weight& weight);
  // y += x W^T + bias, y being the f32 residual stream.
  void LinearAdd(const Tensor& y, const Tensor& x, const Weight& weight);

  // ---- Row by row ----

  // y = x / sqrt(mean(x^2) + eps) * weight, weight f32 [cols]. In place allowed.
  void RmsNorm(const Tensor& y, const Tensor& x, const float* weight, float eps);
  // y = (x - mean) / sqrt(variance + eps) * weight + bias, biased variance. In place allowed.
  void LayerNorm(const Tensor& y, const Tensor& x, const float* weight, const float* bias,
                 float eps);
  // x = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), in place.
  void GeluTanh(const Tensor& x);
  // y = silu(gate) * up, silu(g) = g / (1 + exp(-g)). y may be gate or up.
  void SwiGlu(const Tensor& y, const Tensor& gate, const Tensor& up);

  // ---- Attention ----

  // For rows [first_row, first_row + x.rows) of the step: every head of x (cols / head_dim of them)
  // is RMS-normalised with `weight` [head_dim], then rotated by its row's position: rotate-half
  // rope, angle position * theta^(-2i/head_dim) for the pair (i, i + head_dim/2). In place.
  void HeadNormRope(const Tensor& x, const float* weight, int64_t head_dim, float eps, float theta,
                    int64_t first_row);
  // Stores the rows of the whole step in the cache, each at its place in its span's pages.
  // k, v: [step rows, kv_heads * head_dim].
  void KvAppend(const KvLayer& cache, const Tensor& k, const Tensor& v);
  // Scaled dot-product attention of the whole step over the cache, which already holds the step's
  // own rows. q, y: [step rows, heads * head_dim]; query head h reads kv head h / (heads /
  // kv_heads); scale 1/sqrt(head_dim); softmax over the past and over the span as its `causal`
  // says.
  void Attention(const Tensor& y, const Tensor& q, const KvLayer& cache);
  // Attention of all rows over all rows, without a cache (ViT, autoencoder). q, k, v, y:
  // [rows, heads * head_dim].
  void FullAttention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                     int64_t heads);

  // ---- Looking in ----

  // Names a stage for whoever listens; the names are those of the reference's recorded stages.
  using TraceSink = std::function<void(const std::string& name, const Tensor& host)>;
  void SetTrace(TraceSink sink) { trace_ = std::move(sink); }
  bool tracing() const { return trace_ != nullptr; }
  void Trace(const std::string& name, const Tensor& tensor);

 private:
  virtual void DoBeginStep(const Step&) {}
  virtual void DoEmbed(const Tensor& y, const Weight& table, std::span<const int32_t> ids,
                       bool add) = 0;
  virtual void DoLinear(const Tensor& y, const Tensor& x, const Weight& weight, bool add) = 0;
  virtual void DoRmsNorm(const Tensor& y, const Tensor& x, const float* weight, float eps) = 0;
  virtual void DoLayerNorm(const Tensor& y, const Tensor& x, const float* weight, const float* bias,
                           float eps) = 0;
  virtual void DoGeluTanh(const Tensor& x) = 0;
  virtual void DoSwiGlu(const Tensor& y, const Tensor& gate, const Tensor& up) = 0;
  virtual void DoHeadNormRope(const Tensor& x, const float* weight, int64_t head_dim, float eps,
                              float theta, int64_t first_row) = 0;
  virtual void DoKvAppend(const KvLayer& cache, const Tensor& k, const Tensor& v) = 0;
  virtual void DoAttention(const Tensor& y, const Tensor& q, const KvLayer& cache) = 0;
  virtual void DoFullAttention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                               int64_t heads) = 0;

  Step step_;
  TraceSink trace_;
};

}  // namespace bagel

#endif  // BAGEL_TENSOR_OPS_H_
