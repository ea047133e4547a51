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
#include <tuple>

#include "base/best_values.h"
#include "tensor/conv.h"
#include "tensor/step.h"
#include "tensor/tensor.h"
#include "tensor/weight.h"
#include "tensor/weight_memory.h"

namespace bagel {

// One layer's keys and values in pages. A page of k or of v holds
// [kv_heads][kKvPageTokens][head_dim] elements of `dtype`; behind those of kI8 lie their scales,
// f16 [kv_heads][kKvPageTokens]: a token's head is stored as PackInt8 in quant/codec.h says. Page
// numbers from `pages` on lie in scratch memory of the same form, which all layers share: it holds
// what a step stores for itself alone.
struct KvLayer {
  void* k = nullptr;
  void* v = nullptr;
  DType dtype = DType::kF32;
  int64_t pages = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  void* scratch_k = nullptr;
  void* scratch_v = nullptr;

  int64_t PageElements() const { return kv_heads * kKvPageTokens * head_dim; }
  // Of a page of k or of v.
  int64_t PageBytes() const {
    const int64_t scales = dtype == DType::kI8 ? kv_heads * kKvPageTokens : 0;
    return PageElements() * static_cast<int64_t>(DTypeSize(dtype)) +
           scales * static_cast<int64_t>(sizeof(uint16_t));
  }
  // The begin of a page; T is the type behind `dtype`.
  template <typename T>
  T* KeyPage(int64_t page) const {
    return Page<T>(k, scratch_k, page);
  }
  template <typename T>
  T* ValuePage(int64_t page) const {
    return Page<T>(v, scratch_v, page);
  }
  // The scales of a page of kI8 that begins at `codes`.
  uint16_t* Scales(int8_t* codes) const {
    return reinterpret_cast<uint16_t*>(codes + PageElements());
  }

 private:
  template <typename T>
  T* Page(void* kept, void* scratch, int64_t page) const {
    char* from = static_cast<char*>(page < pages ? kept : scratch);
    return reinterpret_cast<T*>(from + (page < pages ? page : page - pages) * PageBytes());
  }
};

// One of several products of the same rows: y = x W^T + bias.
struct Product {
  Tensor y;
  const Weight* weight;
};

// A gated MLP with the norm before it.
struct GatedMlp {
  const float* norm;
  float eps;
  const Weight* gate;
  const Weight* up;
  const Weight* down;
};

// The norms of the heads of rows [first_row, first_row + rows) of a step.
struct HeadNorms {
  int64_t first_row;
  int64_t rows;
  const float* q;  // f32 [head_dim]
  const float* k;
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
  // The type in which activations that outlast a step are kept.
  virtual DType KeptType() const { return DType::kF32; }
  // The type of keys and values: KeptType, or kI8 where the device was asked for it.
  virtual DType KvType() const { return KeptType(); }
  // Takes about a second.
  virtual Roofs MeasureRoofs() = 0;
  // 64-byte aligned device memory, contents undefined. Throws kOutOfMemory with the size.
  virtual void* Allocate(size_t bytes) = 0;
  virtual void Free(void* memory) = 0;
  // What Allocate can hand out in all, where the device knows and the host's memory is not meant.
  virtual size_t FreeBytes() const { return SIZE_MAX; }
  virtual void CopyToDevice(void* device, const void* host, size_t bytes) = 0;
  virtual void CopyToHost(void* host, const void* device, size_t bytes) = 0;
  // Memory that does not overlap.
  virtual void CopyOnDevice(void* to, const void* from, size_t bytes);
  // Host memory for CopyAside and for quick copies from the device. Ops can write it, at the speed
  // of the way to the device, and what they wrote is there after Wait. Throws kOutOfMemory with the
  // size.
  virtual void* AllocateHost(size_t bytes);
  virtual void FreeHost(void* memory);
  // Copies memory of AllocateHost, which must stay as it is, to the device beside the ops that are
  // called from now on: it begins when those before have ended.
  virtual void CopyAside(void* device, const void* host, size_t bytes);
  // Returns when all ops so far have ended.
  virtual void Wait() {}
  // Ops that are called from now on begin when every CopyAside so far has ended.
  virtual void AwaitAside() {}
  // `host`, whose data and scales lie in host memory, as ops take it: itself on a device that reads
  // host memory, else a copy in the device's memory, in a format of the device's choice. The bias
  // stays as it is. The copy lies in `memory`. Throws kOutOfMemory, or kUnsupported naming the
  // tensor `name` for a value that no format of the device can hold.
  virtual Weight Place(const Weight& host, const std::string& name, WeightMemory& memory);

  // Makes `step` the one that HeadNormRope, KvAppend and Attention refer to, until the next call.
  void BeginStep(const Step& step);
  const Step& step() const { return step_; }

  // What distinguishes one sequence of ops from another: the memory it works on and its shape.
  struct ReplayKey {
    const void* memory = nullptr;
    const void* cache = nullptr;
    int64_t rows = 0;
    bool operator<(const ReplayKey& other) const {
      return std::tie(memory, cache, rows) < std::tie(other.memory, other.cache, other.rows);
    }
  };
  // Runs `body`, which calls the same ops on the same memory whenever `key` is the same. Steps may
  // differ in all that BeginStep tells of them but the rows of their spans. A device may record
  // what `body` calls and repeat that instead: `body` calls nothing but ops that stay on the
  // device.
  void Replay(const ReplayKey& key, const std::function<void()>& body);

  // ---- Rows in and out ----

  // y[r] = table[ids[r]]; ids are host memory, each in [0, table.out). y: [rows, table.in]. The
  // table lies in host memory or was placed.
  void Embed(const Tensor& y, const Weight& table, std::span<const int32_t> ids);
  // y[r] += table[ids[r]]; the same, added in place.
  void AddRows(const Tensor& y, const Weight& table, std::span<const int32_t> ids);

  // ---- Products ----

  // y = x W^T + bias. x: [rows, W.in], y: [rows, W.out].
  void Linear(const Tensor& y, const Tensor& x, const Weight& weight);
  // y += x W^T + bias, y being the f32 residual stream or a picture.
  void LinearAdd(const Tensor& y, const Tensor& x, const Weight& weight);
  // All products of RmsNorm(x, norm, eps). `normed` [x.rows, x.cols] of the activation type is
  // memory for those rows, which a device may leave untouched.
  void NormLinear(std::span<const Product> products, const Tensor& x, const float* norm, float eps,
                  const Tensor& normed);

  // ---- Row by row ----

  // y = x / sqrt(mean(x^2) + eps) * weight, weight f32 [cols]. In place allowed.
  void RmsNorm(const Tensor& y, const Tensor& x, const float* weight, float eps);
  // y = (x - mean) / sqrt(variance + eps) * weight + bias, biased variance. In place allowed.
  void LayerNorm(const Tensor& y, const Tensor& x, const float* weight, const float* bias,
                 float eps);
  // x = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), in place.
  void GeluTanh(const Tensor& x);
  // x = silu(x), silu(g) = g / (1 + exp(-g)), in place.
  void Silu(const Tensor& x);
  // y = silu(gate) * up, silu(g) = g / (1 + exp(-g)). y may be gate or up.
  void SwiGlu(const Tensor& y, const Tensor& gate, const Tensor& up);
  // y += (silu(gate) * up) W^T + bias, y being the f32 residual stream; gate is overwritten. The
  // default is SwiGlu and LinearAdd; a device whose activations are f16 keeps a product beyond
  // their range, which Qwen2.5 has on some tokens.
  void SwiGluLinearAdd(const Tensor& y, const Tensor& gate, const Tensor& up, const Weight& weight);
  // y += down(silu(gate(n)) * up(n)), n = RmsNorm(y) and y the f32 residual stream. normed
  // [y.rows, y.cols], gate and up [y.rows, gate.out], of the activation type, are memory for what
  // lies between.
  void GatedMlpAdd(const Tensor& y, const GatedMlp& mlp, const Tensor& normed, const Tensor& gate,
                   const Tensor& up);

  // y = x, from one floating-point type (f32, or the device's KeptType) to another.
  void Copy(const Tensor& y, const Tensor& x);
  // y = keep * y + factor * x; y is f32, x as for Copy.
  void Blend(const Tensor& y, const Tensor& x, float keep, float factor);

  // ---- Pictures: pixel (r, c) of a picture is row r * width + c, its columns are channels; they
  // are f32 or of the activation type ----

  // y = W * act(x) + bias, the 3x3 convolution `geometry` tells. x: [input rows * width, in],
  // W: [out, 9 * in], columns ordered by kernel row, kernel column, channel; y: [output rows *
  // output width, out]. act(x) = silu(x * factors[0] + factors[1]) with factors [2, in] f32, or x
  // itself where `factors` has no rows; the padding around the picture is 0 after act.
  void Conv2d(const Tensor& y, const Tensor& x, const Weight& weight, const ConvGeometry& geometry,
              const Tensor& factors = {});
  // y += the same.
  void Conv2dAdd(const Tensor& y, const Tensor& x, const Weight& weight,
                 const ConvGeometry& geometry, const Tensor& factors = {});
  // Mean y[0][g] and biased variance y[1][g] of every group of cols / groups channels over all rows
  // of x, summed in f64. y: [2, groups] f32.
  void GroupMoments(const Tensor& y, const Tensor& x, int64_t groups);
  // y = x * factors[0] + factors[1], factors [2, cols] f32. In place allowed.
  void ScaleShift(const Tensor& y, const Tensor& x, const Tensor& factors);

  // ---- Attention ----

  // For rows [first_row, first_row + x.rows) of the step: every head of x (cols / head_dim of them)
  // is RMS-normalised with `weight` [head_dim], then rotated by its row's position: rotate-half
  // rope, angle position * theta^(-2i/head_dim) for the pair (i, i + head_dim/2). In place.
  void HeadNormRope(const Tensor& x, const float* weight, int64_t head_dim, float eps, float theta,
                    int64_t first_row);
  // Stores the rows of the whole step in the cache, each at its place in its span's pages,
  // of which two spans of one context may share one. k, v: [step rows, kv_heads * head_dim].
  void KvAppend(const KvLayer& cache, const Tensor& k, const Tensor& v);
  // Scaled dot-product attention of the whole step over the cache, which already holds the step's
  // own rows. q, y: [step rows, heads * head_dim]; query head h reads kv head h / (heads /
  // kv_heads); scale 1/sqrt(head_dim); softmax over the past and over the span as its `causal`
  // says.
  void Attention(const Tensor& y, const Tensor& q, const KvLayer& cache);
  // HeadNormRope of the rows of q and k that each of `norms` names, KvAppend, then Attention. The
  // norms cover the step. What q and k hold afterwards is undefined; y is none of q, k and v.
  void NormRopeAttention(const Tensor& y, const KvLayer& cache, const Tensor& q, const Tensor& k,
                         const Tensor& v, std::span<const HeadNorms> norms, float eps, float theta);
  // Attention of all rows over all rows, without a cache (ViT, autoencoder). q, k, v, y:
  // [rows, heads * head_dim].
  void FullAttention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                     int64_t heads);

  // ---- Out of a long row ----

  // Whether the host better asks for the best values of a row than reads all of it: ops do not
  // write the host's memory as quickly as their own.
  virtual bool FindsBest() const { return false; }
  // The largest values of each row of x, f32; best has x.rows elements, memory of AllocateHost's,
  // which are there after Wait.
  void FindBest(BestValues* best, const Tensor& x);

  // ---- Looking in ----

  // Names a stage for whoever listens; the names are those of the reference's recorded stages.
  using TraceSink = std::function<void(const std::string& name, const Tensor& host)>;
  void SetTrace(TraceSink sink) { trace_ = std::move(sink); }
  bool tracing() const { return trace_ != nullptr; }
  void Trace(const std::string& name, const Tensor& tensor);

 protected:
  // What a device that fuses some of these calls for the rest: the ops one after another.
  virtual void DoNormLinear(std::span<const Product> products, const Tensor& x, const float* norm,
                            float eps, const Tensor& normed);
  virtual void DoGatedMlpAdd(const Tensor& y, const GatedMlp& mlp, const Tensor& normed,
                             const Tensor& gate, const Tensor& up);

 private:
  // Whether `picture` has one of the types that pictures can have.
  bool IsPicture(const Tensor& picture) const {
    return picture.dtype == DType::kF32 || picture.dtype == ActivationType();
  }

  virtual void DoBeginStep(const Step&) {}
  virtual void DoReplay(const ReplayKey&, const std::function<void()>& body) { body(); }
  virtual void DoEmbed(const Tensor& y, const Weight& table, std::span<const int32_t> ids,
                       bool add) = 0;
  virtual void DoLinear(const Tensor& y, const Tensor& x, const Weight& weight, bool add) = 0;
  virtual void DoRmsNorm(const Tensor& y, const Tensor& x, const float* weight, float eps) = 0;
  virtual void DoLayerNorm(const Tensor& y, const Tensor& x, const float* weight, const float* bias,
                           float eps) = 0;
  virtual void DoGeluTanh(const Tensor& x) = 0;
  virtual void DoSilu(const Tensor& x) = 0;
  virtual void DoCopy(const Tensor& y, const Tensor& x) = 0;
  virtual void DoBlend(const Tensor& y, const Tensor& x, float keep, float factor) = 0;
  virtual void DoConv2d(const Tensor& y, const Tensor& x, const Weight& weight,
                        const ConvGeometry& geometry, const Tensor& factors, bool add) = 0;
  virtual void DoGroupMoments(const Tensor& y, const Tensor& x, int64_t groups) = 0;
  virtual void DoScaleShift(const Tensor& y, const Tensor& x, const Tensor& factors) = 0;
  virtual void DoSwiGlu(const Tensor& y, const Tensor& gate, const Tensor& up) = 0;
  virtual void DoNormRopeAttention(const Tensor& y, const KvLayer& cache, const Tensor& q,
                                   const Tensor& k, const Tensor& v,
                                   std::span<const HeadNorms> norms, float eps, float theta);
  virtual void DoSwiGluLinearAdd(const Tensor& y, const Tensor& gate, const Tensor& up,
                                 const Weight& weight);
  virtual void DoHeadNormRope(const Tensor& x, const float* weight, int64_t head_dim, float eps,
                              float theta, int64_t first_row) = 0;
  virtual void DoKvAppend(const KvLayer& cache, const Tensor& k, const Tensor& v) = 0;
  virtual void DoAttention(const Tensor& y, const Tensor& q, const KvLayer& cache) = 0;
  virtual void DoFullAttention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                               int64_t heads) = 0;
  // Reads and writes host memory.
  virtual void DoFindBest(BestValues* best, const Tensor& x);

  Step step_;
  TraceSink trace_;
};

}  // namespace bagel

#endif  // BAGEL_TENSOR_OPS_H_
