#include "cpu/cpu_ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/attention.h"
#include "cpu/conv.h"
#include "cpu/linear.h"
#include "cpu/memory.h"
#include "cpu/nf4.h"
#include "cpu/plain_rows.h"
#include "cpu/roofs.h"
#include "cpu/row_ops.h"
#include "cpu/tile.h"
#include "cpu/weights.h"

namespace bagel {
namespace {

class CpuOps final : public Ops {
 public:
  explicit CpuOps(const CpuOptions& options)
      : pool_(options.threads),
        bf16_(!options.exact && HasBF16Products()),
        int8_cache_(options.int8_cache),
        linear_(pool_, bf16_, !options.exact && HasNf4Bytes()),
        attention_(pool_),
        conv_(pool_, bf16_) {}

  std::string Name() const override {
    return "cpu (" + std::to_string(pool_.threads()) +
           (pool_.threads() == 1 ? " thread, " : " threads, ") +
           (bf16_ ? std::string("bf16 products: ") + BF16ProductsName() : "f32 products") + ")";
  }
  DType KeptType() const override { return bf16_ ? DType::kBF16 : DType::kF32; }
  DType KvType() const override { return int8_cache_ ? DType::kI8 : KeptType(); }

  Roofs MeasureRoofs() override { return MeasureCpuRoofs(pool_, bf16_); }

  void* Allocate(size_t bytes) override { return AllocateAligned(bytes); }
  void Free(void* memory) override { FreeAligned(memory); }
  void CopyToDevice(void* device, const void* host, size_t bytes) override {
    if (bytes > 0) std::memcpy(device, host, bytes);
  }
  void CopyToHost(void* host, const void* device, size_t bytes) override {
    if (bytes > 0) std::memcpy(host, device, bytes);
  }
  void CopyOnDevice(void* to, const void* from, size_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }

 private:
  // Calls body(row) for every row, in parallel where that pays.
  template <typename Body>
  void ForRows(const Tensor& tensor, const Body& body) {
    const int64_t rows_per_task =
        std::clamp<int64_t>(16384 / std::max<int64_t>(1, tensor.cols), 1, 64);
    const int64_t tasks = (tensor.rows + rows_per_task - 1) / rows_per_task;
    pool_.ParallelFor(tasks, [&](int64_t task, int) {
      const int64_t last = std::min(tensor.rows, (task + 1) * rows_per_task);
      for (int64_t row = task * rows_per_task; row < last; ++row) body(row);
    });
  }

  void DoBeginStep(const Step&) override { rope_dim_ = 0; }

  void DoEmbed(const Tensor& y, const Weight& table, std::span<const int32_t> ids,
               bool add) override {
    ForRows(y, [&](int64_t row) {
      const int32_t id = ids[static_cast<size_t>(row)];
      if (!add) return UnpackColumns(table, id, 0, table.in, y.f32(row));
      std::vector<float> values(static_cast<size_t>(table.in));
      UnpackColumns(table, id, 0, table.in, values.data());
      for (int64_t i = 0; i < y.cols; ++i) y.f32(row)[i] += values[static_cast<size_t>(i)];
    });
  }

  void DoLinear(const Tensor& y, const Tensor& x, const Weight& weight, bool add) override {
    linear_.Run(y, x, weight, add);
  }

  void DoRmsNorm(const Tensor& y, const Tensor& x, const float* weight, float eps) override {
    ForRows(x, [&](int64_t row) { RmsNormRow(y.f32(row), x.f32(row), weight, x.cols, eps); });
  }

  void DoLayerNorm(const Tensor& y, const Tensor& x, const float* weight, const float* bias,
                   float eps) override {
    ForRows(x,
            [&](int64_t row) { LayerNormRow(y.f32(row), x.f32(row), weight, bias, x.cols, eps); });
  }

  void DoGeluTanh(const Tensor& x) override {
    ForRows(x, [&](int64_t row) { GeluTanhRow(x.f32(row), x.cols); });
  }

  void DoSilu(const Tensor& x) override {
    ForRows(x, [&](int64_t row) { SiluRow(x.f32(row), x.cols); });
  }

  void DoCopy(const Tensor& y, const Tensor& x) override {
    ForRows(x, [&](int64_t row) {
      if (x.dtype == y.dtype) {
        const auto bytes = static_cast<size_t>(x.cols) * DTypeSize(x.dtype);
        std::memcpy(y.Rows(row, 1).data, x.Rows(row, 1).data, bytes);
      } else if (y.dtype == DType::kBF16) {
        ConvertToBF16(x.f32(row), x.cols, y.row<uint16_t>(row));
      } else {
        BlendRow(y.f32(row), x.row<uint16_t>(row), x.cols, 0.0f, 1.0f);
      }
    });
  }

  void DoBlend(const Tensor& y, const Tensor& x, float keep, float factor) override {
    ForRows(x, [&](int64_t row) {
      if (x.dtype == DType::kBF16)
        BlendRow(y.f32(row), x.row<uint16_t>(row), x.cols, keep, factor);
      else
        BlendRow(y.f32(row), x.f32(row), x.cols, keep, factor);
    });
  }

  void DoConv2d(const Tensor& y, const Tensor& x, const Weight& weight,
                const ConvGeometry& geometry, const Tensor& factors, bool add) override {
    conv_.Run(y, x, weight, geometry, factors, add);
  }

  void DoGroupMoments(const Tensor& y, const Tensor& x, int64_t groups) override {
    MeasureGroups(pool_, x, groups, y.f32(0), y.f32(1));
  }

  void DoScaleShift(const Tensor& y, const Tensor& x, const Tensor& factors) override {
    ForRows(x, [&](int64_t row) {
      ScaleShiftRow(y.f32(row), x.f32(row), factors.f32(0), factors.f32(1), x.cols);
    });
  }

  void DoSwiGlu(const Tensor& y, const Tensor& gate, const Tensor& up) override {
    ForRows(y, [&](int64_t row) { SwiGluRow(y.f32(row), gate.f32(row), up.f32(row), y.cols); });
  }

  void DoHeadNormRope(const Tensor& x, const float* weight, int64_t head_dim, float eps,
                      float theta, int64_t first_row) override {
    MakeRopeTable(head_dim, theta);
    const int64_t half = head_dim / 2;
    ForRows(x, [&](int64_t row) {
      const float* cosines = rope_.data() + (first_row + row) * head_dim;
      for (int64_t first = 0; first < x.cols; first += head_dim) {
        float* head = x.f32(row) + first;
        RmsNormRow(head, head, weight, head_dim, eps);
        RotateRow(head, cosines, cosines + half, half);
      }
    });
  }

  void DoKvAppend(const KvLayer& cache, const Tensor& k, const Tensor& v) override {
    if (int8_cache_)
      attention_.Append<int8_t>(step(), cache, k, v);
    else if (bf16_)
      attention_.Append<uint16_t>(step(), cache, k, v);
    else
      attention_.Append<float>(step(), cache, k, v);
  }

  void DoAttention(const Tensor& y, const Tensor& q, const KvLayer& cache) override {
    if (bf16_)
      attention_.Attend<uint16_t>(step(), cache, q, y);
    else
      attention_.Attend<float>(step(), cache, q, y);
  }

  void DoFullAttention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                       int64_t heads) override {
    if (bf16_)
      attention_.AttendFull<uint16_t>(q, k, v, heads, y);
    else
      attention_.AttendFull<float>(q, k, v, heads, y);
  }

  // Cosines, then sines, of every row's angles: the same for all layers of a step.
  void MakeRopeTable(int64_t head_dim, float theta) {
    if (rope_dim_ == head_dim && rope_theta_ == theta) return;
    const int64_t half = head_dim / 2;
    std::vector<float> frequencies(static_cast<size_t>(half));
    for (int64_t i = 0; i < half; ++i)
      frequencies[static_cast<size_t>(i)] = static_cast<float>(
          1.0 / std::pow(static_cast<double>(theta),
                         2.0 * static_cast<double>(i) / static_cast<double>(head_dim)));
    rope_.resize(static_cast<size_t>(step().rows() * head_dim));
    for (int64_t row = 0; row < step().rows(); ++row) {
      float* table = rope_.data() + row * head_dim;
      const int32_t position = step().positions[static_cast<size_t>(row)];
      if (row > 0 && position == step().positions[static_cast<size_t>(row - 1)]) {
        std::copy_n(table - head_dim, head_dim, table);
        continue;
      }
      for (int64_t i = 0; i < half; ++i) {
        const float angle = static_cast<float>(position) * frequencies[static_cast<size_t>(i)];
        table[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
        table[half + i] = static_cast<float>(std::sin(static_cast<double>(angle)));
      }
    }
    rope_dim_ = head_dim;
    rope_theta_ = theta;
  }

  ThreadPool pool_;
  bool bf16_, int8_cache_;
  CpuLinear linear_;
  CpuAttention attention_;
  CpuConv conv_;
  std::vector<float> rope_;
  int64_t rope_dim_ = 0;
  float rope_theta_ = 0;
};

}  // namespace

std::unique_ptr<Ops> MakeCpuOps(const CpuOptions& options) {
  return std::make_unique<CpuOps>(options);
}

}  // namespace bagel
