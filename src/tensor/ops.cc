#include "tensor/ops.h"

#include <vector>

namespace bagel {
namespace {

bool SameShape(const Tensor& a, const Tensor& b) { return a.rows == b.rows && a.cols == b.cols; }

void CheckIds(const Tensor& y, const Weight& table, std::span<const int32_t> ids) {
  CHECK(y.cols == table.in);
  CHECK(y.rows == static_cast<int64_t>(ids.size()));
  for (const int32_t id : ids) CHECK(id >= 0 && id < table.out);
}

}  // namespace

void Ops::BeginStep(const Step& step) {
  int64_t row = 0;
  for (const Span& span : step.spans) {
    CHECK(span.first_row == row && span.rows > 0 && span.past >= 0);
    CHECK(static_cast<int64_t>(span.pages.size()) * kKvPageTokens >= span.past + span.rows);
    row += span.rows;
  }
  CHECK(row == step.rows());
  step_ = step;
  DoBeginStep(step_);
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
  CHECK(y.dtype == DType::kF32);
  if (x.rows > 0) DoLinear(y, x, weight, /*add=*/true);
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

void Ops::SwiGlu(const Tensor& y, const Tensor& gate, const Tensor& up) {
  CHECK(SameShape(y, gate) && SameShape(y, up));
  DoSwiGlu(y, gate, up);
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

void Ops::FullAttention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                        int64_t heads) {
  CHECK(SameShape(y, q) && SameShape(q, k) && SameShape(k, v));
  CHECK(heads > 0 && q.cols % heads == 0);
  DoFullAttention(y, q, k, v, heads);
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
