#include "cuda/cuda_ops.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cuda/attention.h"
#include "cuda/attention_decode.h"
#include "cuda/best_values.h"
#include "cuda/context.h"
#include "cuda/conv.h"
#include "cuda/gemv.h"
#include "cuda/launch.h"
#include "cuda/linear.h"
#include "cuda/moments.h"
#include "cuda/place.h"
#include "cuda/recordings.h"
#include "cuda/roofs.h"
#include "cuda/row_ops.h"
#include "cuda/sequence_ops.h"
#include "cuda/small_copy.h"
#include "cuda/step_tables.h"
#include "cuda/upload.h"

namespace bagel {
namespace {

// Names the op for messages while it runs.
class OpName {
 public:
  explicit OpName(const char* name) { cuda_stage.op = name; }
};

class CudaOps final : public Ops {
 public:
  explicit CudaOps(const DevicePluginOptions& options)
      : context_(options.index, options.oldest_profile),
        uploader_(context_),
        aside_(context_),
        linear_(context_),
        conv_(context_),
        attention_(context_),
        int8_cache_(options.int8_cache),
        recordings_(context_) {}

  std::string Name() const override { return "cuda (" + context_.Name() + ")"; }
  DType ActivationType() const override { return DType::kF16; }
  DType KeptType() const override { return DType::kF16; }
  DType KvType() const override { return int8_cache_ ? DType::kI8 : KeptType(); }

  Roofs MeasureRoofs() override {
    const OpName name("MeasureRoofs");
    return MeasureCudaRoofs(context_);
  }
  size_t FreeBytes() const override {
    size_t free_bytes = 0, total = 0;
    CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total));
    return free_bytes;
  }

  void* Allocate(size_t bytes) override {
    const OpName name("Allocate");
    return AllocateOnDevice(bytes);
  }
  // Waits for what still uses it. After a failure there is nobody left to tell.
  void Free(void* memory) override {
    if (memory == nullptr) return;
    recordings_.Clear();
    static_cast<void>(cudaFree(memory));
  }
  void CopyToDevice(void* device, const void* host, size_t bytes) override {
    const OpName name("CopyToDevice");
    uploader_.Upload(device, host, bytes);
  }
  void CopyToHost(void* host, const void* device, size_t bytes) override {
    const OpName name("CopyToHost");
    if (bytes > 0)
      CUDA_CHECK(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, context_.stream()));
    context_.Wait();
  }
  void CopyOnDevice(void* to, const void* from, size_t bytes) override {
    const OpName name("CopyOnDevice");
    CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, context_.stream()));
  }
  void* AllocateHost(size_t bytes) override {
    const OpName name("AllocateHost");
    return AllocatePinned(bytes);
  }
  void FreeHost(void* memory) override {
    if (memory == nullptr) return;
    recordings_.Clear();
    static_cast<void>(cudaFreeHost(memory));
  }
  void Wait() override {
    const OpName name("Wait");
    context_.Wait();
  }
  void CopyAside(void* device, const void* host, size_t bytes) override {
    const OpName name("CopyAside");
    aside_.Copy(device, host, bytes);
  }
  bool FindsBest() const override { return true; }
  void AwaitAside() override {
    const OpName name("AwaitAside");
    aside_.Await();
  }
  Weight Place(const Weight& host, const std::string& name, WeightMemory& memory) override {
    const OpName op("Place");
    return PlaceWeight(context_, uploader_, host, name, memory);
  }

 private:
  // What the gated product in f16 is divided by: its range becomes 2e6 and its smallest step 1e-6,
  // and no element that counts is near it.
  static constexpr float kGatedScale = 32;

  void DoBeginStep(const Step& step) override {
    const OpName name("BeginStep");
    const int32_t* before = tables_.tables().positions;
    if (tables_.Build(step, uploader_).positions != before) recordings_.Clear();
  }

  void DoReplay(const ReplayKey& key, const std::function<void()>& body) override {
    recordings_.Run(key, body);
  }

  void DoEmbed(const Tensor& y, const Weight& table, std::span<const int32_t> ids,
               bool add) override {
    const OpName name("Embed");
    cudaPointerAttributes attributes{};
    CUDA_CHECK(cudaPointerGetAttributes(&attributes, table.data));
    if (attributes.type == cudaMemoryTypeDevice)
      GatherOnDevice(y, table, ids, add);
    else
      GatherOnHost(y, table, ids, add);
  }

  void GatherOnDevice(const Tensor& y, const Weight& table, std::span<const int32_t> ids,
                      bool add) {
    constexpr size_t kRows = Uploader::kSlotBytes / sizeof(int32_t);
    for (size_t first = 0; first < ids.size(); first += kRows) {
      const auto part = ids.subspan(first, std::min(kRows, ids.size() - first));
      void* device = context_.Scratch(part.size_bytes());
      uploader_.Upload(device, part.data(), part.size_bytes());
      const auto rows = static_cast<int64_t>(part.size());
      CudaGatherRows(context_.stream(), y.Rows(static_cast<int64_t>(first), rows), table,
                     static_cast<const int32_t*>(device), add);
    }
  }

  void GatherOnHost(const Tensor& y, const Weight& table, std::span<const int32_t> ids, bool add) {
    const auto row_bytes = static_cast<size_t>(table.in) * sizeof(float);
    const auto in_slot = static_cast<int64_t>(Uploader::kSlotBytes / row_bytes);
    CHECK(in_slot > 0);
    for (int64_t first = 0; first < y.rows; first += in_slot) {
      const int64_t rows = std::min(in_slot, y.rows - first);
      auto* values = static_cast<float*>(uploader_.Take());
      for (int64_t r = 0; r < rows; ++r)
        UnpackRow(table, ids[static_cast<size_t>(first + r)], values + r * table.in);
      const size_t bytes = static_cast<size_t>(rows) * row_bytes;
      const float* from = values;
      if (bytes > kSmallCopyBytes) {
        void* device = context_.Scratch(bytes);
        CUDA_CHECK(
            cudaMemcpyAsync(device, values, bytes, cudaMemcpyHostToDevice, context_.stream()));
        from = static_cast<const float*>(device);
      }
      CudaTakeRows(context_.stream(), y.Rows(first, rows), from, add);
      uploader_.Sent(bytes);
    }
  }

  void DoLinear(const Tensor& y, const Tensor& x, const Weight& weight, bool add) override {
    const OpName name("Linear");
    linear_.Run(y, x, weight, add);
  }
  void DoNormLinear(std::span<const Product> products, const Tensor& x, const float* norm,
                    float eps, const Tensor& normed) override {
    std::vector<const Weight*> weights;
    bool alike = true;
    for (const Product& product : products) {
      weights.push_back(product.weight);
      alike = alike && product.y.dtype == products[0].y.dtype;
    }
    if (!alike || !NormGemvTakes(x, weights))
      return Ops::DoNormLinear(products, x, norm, eps, normed);
    const OpName name("NormLinear");
    NormGemv(context_, products, x, norm, eps);
  }
  void DoGatedMlpAdd(const Tensor& y, const GatedMlp& mlp, const Tensor& normed, const Tensor& gate,
                     const Tensor& up) override {
    const Weight* weights[] = {mlp.gate, mlp.up};
    if (gate.dtype != DType::kF16 || mlp.gate->bias != nullptr || mlp.up->bias != nullptr ||
        !NormGemvTakes(y, weights))
      return Ops::DoGatedMlpAdd(y, mlp, normed, gate, up);
    const OpName name("GatedMlpAdd");
    GatedGemv(context_, gate, y, mlp.norm, mlp.eps, *mlp.gate, *mlp.up, 1 / kGatedScale);
    linear_.Run(y, gate, *mlp.down, /*add=*/true, kGatedScale);
  }
  void DoRmsNorm(const Tensor& y, const Tensor& x, const float* weight, float eps) override {
    const OpName name("RmsNorm");
    CudaRmsNorm(context_.stream(), y, x, weight, eps);
  }
  void DoLayerNorm(const Tensor& y, const Tensor& x, const float* weight, const float* bias,
                   float eps) override {
    const OpName name("LayerNorm");
    CudaLayerNorm(context_.stream(), y, x, weight, bias, eps);
  }
  void DoGeluTanh(const Tensor& x) override {
    const OpName name("GeluTanh");
    CudaGeluTanh(context_.stream(), x);
  }
  void DoSilu(const Tensor& x) override {
    const OpName name("Silu");
    CudaSilu(context_.stream(), x);
  }
  void DoSwiGlu(const Tensor& y, const Tensor& gate, const Tensor& up) override {
    const OpName name("SwiGlu");
    CudaSwiGlu(context_.stream(), y, gate, up);
  }
  void DoSwiGluLinearAdd(const Tensor& y, const Tensor& gate, const Tensor& up,
                         const Weight& weight) override {
    const OpName name("SwiGluLinearAdd");
    CudaSwiGlu(context_.stream(), gate, gate, up, 1 / kGatedScale);
    linear_.Run(y, gate, weight, /*add=*/true, kGatedScale);
  }
  void DoCopy(const Tensor& y, const Tensor& x) override {
    const OpName name("Copy");
    CudaBlend(context_.stream(), y, x, 0.0f, 1.0f);
  }
  void DoBlend(const Tensor& y, const Tensor& x, float keep, float factor) override {
    const OpName name("Blend");
    CudaBlend(context_.stream(), y, x, keep, factor);
  }
  void DoConv2d(const Tensor& y, const Tensor& x, const Weight& weight,
                const ConvGeometry& geometry, const Tensor& factors, bool add) override {
    const OpName name("Conv2d");
    conv_.Run(y, x, weight, geometry, factors, add);
  }
  void DoGroupMoments(const Tensor& y, const Tensor& x, int64_t groups) override {
    const OpName name("GroupMoments");
    CudaGroupMoments(context_, y, x, groups);
  }
  void DoScaleShift(const Tensor& y, const Tensor& x, const Tensor& factors) override {
    const OpName name("ScaleShift");
    CudaScaleShift(context_.stream(), y, x, factors);
  }

  void DoFindBest(BestValues* best, const Tensor& x) override {
    const OpName name("FindBest");
    CudaFindBest(context_, best, x);
  }

  void DoHeadNormRope(const Tensor& x, const float* weight, int64_t head_dim, float eps,
                      float theta, int64_t first_row) override {
    const OpName name("HeadNormRope");
    CudaHeadNormRope(context_.stream(), x, weight, head_dim, eps, Frequencies(head_dim, theta),
                     tables_.tables().positions + first_row);
  }
  void DoKvAppend(const KvLayer& cache, const Tensor& k, const Tensor& v) override {
    const OpName name("KvAppend");
    CudaKvAppend(context_.stream(), cache, k, v, tables_.tables());
  }
  void DoNormRopeAttention(const Tensor& y, const KvLayer& cache, const Tensor& q, const Tensor& k,
                           const Tensor& v, std::span<const HeadNorms> norms, float eps,
                           float theta) override {
    const float* frequencies = Frequencies(cache.head_dim, theta);
    const StepTables& tables = tables_.tables();
    const OpName name("NormRopeAttention");
    if (norms.size() == 1 && DecodeTakes(q, k, v, cache, tables))
      return AttendDecode(context_, y, cache, q, k, v, norms[0], eps, frequencies, tables);
    for (const HeadNorms& part : norms)
      CudaNormRopeAppend(context_, cache, q, k, v, part, eps, frequencies, tables);
    attention_.Attend(y, q, cache, tables);
  }
  void DoAttention(const Tensor& y, const Tensor& q, const KvLayer& cache) override {
    const OpName name("Attention");
    attention_.Attend(y, q, cache, tables_.tables());
  }
  void DoFullAttention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                       int64_t heads) override {
    const OpName name("FullAttention");
    attention_.AttendFull(y, q, k, v, heads);
  }

  const float* Frequencies(int64_t head_dim, float theta) {
    if (rope_dim_ != head_dim || rope_theta_ != theta) {
      const std::vector<float> host = RopeFrequencies(head_dim, theta);
      uploader_.Upload(frequencies_.Reserve(host.size() * sizeof(float)), host.data(),
                       host.size() * sizeof(float));
      rope_dim_ = head_dim;
      rope_theta_ = theta;
    }
    return static_cast<const float*>(frequencies_.Reserve(0));
  }

  CudaContext context_;
  Uploader uploader_;
  SideCopier aside_;
  StepTableBuilder tables_;
  DeviceBuffer frequencies_;
  int64_t rope_dim_ = 0;
  float rope_theta_ = 0;
  CudaLinear linear_;
  CudaConv conv_;
  CudaAttention attention_;
  bool int8_cache_;
  Recordings recordings_;
};

}  // namespace

std::unique_ptr<Ops> MakeCudaOps(const DevicePluginOptions& options) {
  return std::make_unique<CudaOps>(options);
}

}  // namespace bagel
