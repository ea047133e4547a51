// An Ops that computes nothing: a step run on it with a measuring Workspace finds the step's
// memory.
#ifndef BAGEL_TENSOR_MEASURING_OPS_H_
#define BAGEL_TENSOR_MEASURING_OPS_H_

#include "tensor/ops.h"

namespace bagel {

// Stands in for `device`, whose activation types it has; checks shapes like every Ops.
class MeasuringOps final : public Ops {
 public:
  explicit MeasuringOps(const Ops& device)
      : activation_type_(device.ActivationType()), kv_type_(device.KvType()) {}

  // Stands in for a device with these types.
  MeasuringOps(DType activation_type, DType kv_type)
      : activation_type_(activation_type), kv_type_(kv_type) {}

  std::string Name() const override { return "measuring"; }
  DType ActivationType() const override { return activation_type_; }
  DType KvType() const override { return kv_type_; }
  Roofs MeasureRoofs() override { return {}; }
  void* Allocate(size_t) override { return nullptr; }
  void Free(void*) override {}
  void CopyToDevice(void*, const void*, size_t) override {}
  void CopyToHost(void*, const void*, size_t) override {}
  void CopyOnDevice(void*, const void*, size_t) override {}

 private:
  void DoEmbed(const Tensor&, const Weight&, std::span<const int32_t>, bool) override {}
  void DoLinear(const Tensor&, const Tensor&, const Weight&, bool) override {}
  void DoRmsNorm(const Tensor&, const Tensor&, const float*, float) override {}
  void DoLayerNorm(const Tensor&, const Tensor&, const float*, const float*, float) override {}
  void DoGeluTanh(const Tensor&) override {}
  void DoSilu(const Tensor&) override {}
  void DoCopy(const Tensor&, const Tensor&) override {}
  void DoBlend(const Tensor&, const Tensor&, float, float) override {}
  void DoConv2d(const Tensor&, const Tensor&, const Weight&, const ConvGeometry&, const Tensor&,
                bool) override {}
  void DoGroupMoments(const Tensor&, const Tensor&, int64_t) override {}
  void DoScaleShift(const Tensor&, const Tensor&, const Tensor&) override {}
  void DoSwiGlu(const Tensor&, const Tensor&, const Tensor&) override {}
  void DoHeadNormRope(const Tensor&, const float*, int64_t, float, float, int64_t) override {}
  void DoKvAppend(const KvLayer&, const Tensor&, const Tensor&) override {}
  void DoAttention(const Tensor&, const Tensor&, const KvLayer&) override {}
  void DoFullAttention(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                       int64_t) override {}
  void DoFindBest(BestValues*, const Tensor&) override {}

  DType activation_type_;
  DType kv_type_;
};

}  // namespace bagel

#endif  // BAGEL_TENSOR_MEASURING_OPS_H_
