#include "tensor/ops.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace bagel {
namespace {

BestValues BestOfRow(const float* row, int64_t cols) {
  BestValues best{};
  if (std::any_of(row, row + cols, [](float value) { return std::isnan(value); })) {
    best.count = BestValues::kNotNumbers;
    return best;
  }
  std::vector<float> largest(static_cast<size_t>(std::min<int64_t>(BestValues::kSought, cols)));
  std::partial_sort_copy(row, row + cols, largest.begin(), largest.end(), std::greater<>());
  best.floor = largest.back();
  for (int64_t column = 0; column < cols; ++column) {
    if (row[column] < best.floor) continue;
    if (best.count == BestValues::kMost) {
      best.count = BestValues::kTooMany;
      return best;
    }
    best.columns[best.count] = static_cast<int32_t>(column);
    best.values[best.count++] = row[column];
  }
  return best;
}

bool SameShape(const Tensor& a, const Tensor& b) { return a.rows == b.rows && a.cols == b.cols; }

void CheckIds(const Tensor& y, const Weight& table, std::span<const int32_t> ids) {
  CHECK(y.cols == table.in);
  CHECK(y.rows == static_cast<int64_t>(ids.size()));
  for (const int32_t id : ids) CHECK(id >= 0 && id < table.out);
}

void CheckConv(const Tensor& y, const Tensor& x, const Weight& weight, const ConvGeometry& geometry,
               const Tensor& factors) {
  CHECK(weight.in == 9 * x.cols && weight.out == y.cols);
  CHECK(factors.rows == 0 || (factors.rows == 2 && factors.cols == x.cols));
  CHECK(x.rows % geometry.width == 0 && y.rows % geometry.OutputWidth() == 0);
  const int64_t rows = y.rows / geometry.OutputWidth();
  CHECK(geometry.first_output >= 0 && rows > 0 &&
        geometry.first_output + rows <= geometry.OutputHeight());
  const auto [first, last] = geometry.InputRows(geometry.first_output, rows);
  CHECK(first >= geometry.first_input && last <= geometry.first_input + x.rows / geometry.width);
}

}  // namespace

void Ops::BeginStep(const Step& step) {
  int64_t lead_row = 0, row = 0;
  for (const Span& span : step.spans) row += span.lead;
  for (const Span& span : step.spans) {
    CHECK(span.lead >= 0 && span.rows > span.lead && span.past >= 0);
    CHECK(span.first_row == row && (span.lead == 0 || span.lead_row == lead_row));
    CHECK(static_cast<int64_t>(span.pages.size()) * kKvPageTokens >= span.past + span.rows);
    lead_row += span.lead;
    row += span.rows - span.lead;
  }
  CHECK(row == step.rows());
  step_ = step;
  DoBeginStep(step_);
}

void Ops::Replay(const ReplayKey& key, const std::function<void()>& body) {
  CHECK(!tracing());
  DoReplay(key, body);
}

void Ops::Embed(const Tensor& y, const Weight& table, std::span<const int32_t> ids) {
  CheckIds(y, table, ids);
  DoEmbed(y, table, ids, /*add=*/false);
}

void Ops::AddRows(const Tensor& y, const Weight& table, std::span<const int32_t> ids) {
  CheckIds(y, table, ids);
  DoEmbed(y, table, ids, /*add=*/true);
}

void Ops::Linear(const Tensor& y, const Tensor& x, const Weight& weight) {
  CHECK(x.cols == weight.in && y.cols == weight.out && x.rows == y.rows);
  if (x.rows > 0) DoLinear(y, x, weight, /*add=*/false);
}

void Ops::LinearAdd(const Tensor& y, const Tensor& x, const Weight& weight) {
  CHECK(x.cols == weight.in && y.cols == weight.out && x.rows == y.rows);
  CHECK(IsPicture(y));
  if (x.rows > 0) DoLinear(y, x, weight, /*add=*/true);
}

void Ops::NormLinear(std::span<const Product> products, const Tensor& x, const float* norm,
                     float eps, const Tensor& normed) {
  CHECK(SameShape(normed, x));
  for (const Product& product : products)
    CHECK(product.weight->in == x.cols && product.y.cols == product.weight->out &&
          product.y.rows == x.rows);
  if (x.rows > 0) DoNormLinear(products, x, norm, eps, normed);
}

void Ops::DoNormLinear(std::span<const Product> products, const Tensor& x, const float* norm,
                       float eps, const Tensor& normed) {
  RmsNorm(normed, x, norm, eps);
  for (const Product& product : products) Linear(product.y, normed, *product.weight);
}

void Ops::RmsNorm(const Tensor& y, const Tensor& x, const float* weight, float eps) {
  CHECK(SameShape(y, x));
  DoRmsNorm(y, x, weight, eps);
}

void Ops::LayerNorm(const Tensor& y, const Tensor& x, const float* weight, const float* bias,
                    float eps) {
  CHECK(SameShape(y, x));
  DoLayerNorm(y, x, weight, bias, eps);
}

void Ops::GeluTanh(const Tensor& x) { DoGeluTanh(x); }

void Ops::Silu(const Tensor& x) { DoSilu(x); }

void Ops::SwiGlu(const Tensor& y, const Tensor& gate, const Tensor& up) {
  CHECK(SameShape(y, gate) && SameShape(y, up));
  DoSwiGlu(y, gate, up);
}

void Ops::SwiGluLinearAdd(const Tensor& y, const Tensor& gate, const Tensor& up,
                          const Weight& weight) {
  CHECK(SameShape(gate, up) && gate.cols == weight.in);
  CHECK(y.rows == gate.rows && y.cols == weight.out && y.dtype == DType::kF32);
  if (y.rows > 0) DoSwiGluLinearAdd(y, gate, up, weight);
}

void Ops::DoSwiGluLinearAdd(const Tensor& y, const Tensor& gate, const Tensor& up,
                            const Weight& weight) {
  SwiGlu(gate, gate, up);
  LinearAdd(y, gate, weight);
}

void Ops::GatedMlpAdd(const Tensor& y, const GatedMlp& mlp, const Tensor& normed,
                      const Tensor& gate, const Tensor& up) {
  CHECK(SameShape(normed, y) && SameShape(gate, up) && gate.rows == y.rows);
  CHECK(mlp.gate->in == y.cols && mlp.up->in == y.cols && mlp.down->out == y.cols);
  CHECK(gate.cols == mlp.gate->out && up.cols == mlp.up->out && gate.cols == mlp.down->in);
  CHECK(y.dtype == DType::kF32);
  if (y.rows > 0) DoGatedMlpAdd(y, mlp, normed, gate, up);
}

void Ops::DoGatedMlpAdd(const Tensor& y, const GatedMlp& mlp, const Tensor& normed,
                        const Tensor& gate, const Tensor& up) {
  const Product products[] = {{gate, mlp.gate}, {up, mlp.up}};
  NormLinear(products, y, mlp.norm, mlp.eps, normed);
  SwiGluLinearAdd(y, gate, up, *mlp.down);
}

void Ops::HeadNormRope(const Tensor& x, const float* weight, int64_t head_dim, float eps,
                       float theta, int64_t first_row) {
  CHECK(head_dim > 0 && head_dim % 2 == 0 && x.cols % head_dim == 0);
  CHECK(first_row >= 0 && first_row + x.rows <= step_.rows());
  DoHeadNormRope(x, weight, head_dim, eps, theta, first_row);
}

void Ops::KvAppend(const KvLayer& cache, const Tensor& k, const Tensor& v) {
  CHECK(SameShape(k, v) && k.rows == step_.rows());
  CHECK(k.cols == cache.kv_heads * cache.head_dim);
  DoKvAppend(cache, k, v);
}

void Ops::Attention(const Tensor& y, const Tensor& q, const KvLayer& cache) {
  CHECK(SameShape(y, q) && q.rows == step_.rows());
  CHECK(q.cols % (cache.kv_heads * cache.head_dim) == 0);
  DoAttention(y, q, cache);
}

void Ops::NormRopeAttention(const Tensor& y, const KvLayer& cache, const Tensor& q, const Tensor& k,
                            const Tensor& v, std::span<const HeadNorms> norms, float eps,
                            float theta) {
  CHECK(SameShape(y, q) && SameShape(k, v) && k.rows == step_.rows() && q.rows == k.rows);
  CHECK(k.cols == cache.kv_heads * cache.head_dim && q.cols % cache.head_dim == 0);
  int64_t rows = 0;
  for (const HeadNorms& part : norms) {
    CHECK(part.first_row >= 0 && part.rows >= 0 && part.first_row + part.rows <= q.rows);
    rows += part.rows;
  }
  CHECK(rows == q.rows);
  DoNormRopeAttention(y, cache, q, k, v, norms, eps, theta);
}

void Ops::DoNormRopeAttention(const Tensor& y, const KvLayer& cache, const Tensor& q,
                              const Tensor& k, const Tensor& v, std::span<const HeadNorms> norms,
                              float eps, float theta) {
  for (const HeadNorms& part : norms) {
    HeadNormRope(q.Rows(part.first_row, part.rows), part.q, cache.head_dim, eps, theta,
                 part.first_row);
    HeadNormRope(k.Rows(part.first_row, part.rows), part.k, cache.head_dim, eps, theta,
                 part.first_row);
  }
  KvAppend(cache, k, v);
  Attention(y, q, cache);
}

void Ops::FullAttention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                        int64_t heads) {
  CHECK(SameShape(y, q) && SameShape(q, k) && SameShape(k, v));
  CHECK(heads > 0 && q.cols % heads == 0);
  DoFullAttention(y, q, k, v, heads);
}

void Ops::Conv2d(const Tensor& y, const Tensor& x, const Weight& weight,
                 const ConvGeometry& geometry, const Tensor& factors) {
  CHECK(IsPicture(y) && IsPicture(x));
  CheckConv(y, x, weight, geometry, factors);
  DoConv2d(y, x, weight, geometry, factors, /*add=*/false);
}

void Ops::Conv2dAdd(const Tensor& y, const Tensor& x, const Weight& weight,
                    const ConvGeometry& geometry, const Tensor& factors) {
  CHECK(IsPicture(y) && IsPicture(x));
  CheckConv(y, x, weight, geometry, factors);
  DoConv2d(y, x, weight, geometry, factors, /*add=*/true);
}

void Ops::GroupMoments(const Tensor& y, const Tensor& x, int64_t groups) {
  CHECK(groups > 0 && x.cols % groups == 0 && x.rows > 0);
  CHECK(y.rows == 2 && y.cols == groups && y.dtype == DType::kF32);
  DoGroupMoments(y, x, groups);
}

void Ops::ScaleShift(const Tensor& y, const Tensor& x, const Tensor& factors) {
  CHECK(SameShape(y, x) && factors.rows == 2 && factors.cols == x.cols);
  DoScaleShift(y, x, factors);
}

void Ops::Copy(const Tensor& y, const Tensor& x) {
  CHECK(SameShape(y, x));
  DoCopy(y, x);
}

void Ops::Blend(const Tensor& y, const Tensor& x, float keep, float factor) {
  CHECK(SameShape(y, x) && y.dtype == DType::kF32);
  DoBlend(y, x, keep, factor);
}

void Ops::CopyOnDevice(void* to, const void* from, size_t bytes) {
  std::vector<char> host(bytes);
  CopyToHost(host.data(), from, bytes);
  CopyToDevice(to, host.data(), bytes);
}

void* Ops::AllocateHost(size_t bytes) { return Allocate(bytes); }

void Ops::FreeHost(void* memory) { Free(memory); }

void Ops::CopyAside(void* device, const void* host, size_t bytes) {
  CopyToDevice(device, host, bytes);
}

Weight Ops::Place(const Weight& host, const std::string&, WeightMemory&) { return host; }

void Ops::FindBest(BestValues* best, const Tensor& x) {
  CHECK(x.dtype == DType::kF32 && x.cols > 0);
  if (x.rows > 0) DoFindBest(best, x);
}

void Ops::DoFindBest(BestValues* best, const Tensor& x) {
  for (int64_t row = 0; row < x.rows; ++row) best[row] = BestOfRow(x.f32(row), x.cols);
}

void Ops::Trace(const std::string& name, const Tensor& tensor) {
  if (!trace_) return;
  const int64_t row_bytes = tensor.cols * static_cast<int64_t>(DTypeSize(tensor.dtype));
  std::vector<char> copy(static_cast<size_t>(tensor.rows * row_bytes));
  for (int64_t row = 0; row < tensor.rows; ++row)
    CopyToHost(copy.data() + row * row_bytes, tensor.Rows(row, 1).data,
               static_cast<size_t>(row_bytes));
  trace_(name, Tensor{copy.data(), tensor.dtype, tensor.rows, tensor.cols, tensor.cols});
}

}  // namespace bagel
