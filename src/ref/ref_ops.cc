#include "ref/ref_ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <vector>

#include "quant/codec.h"
#include "quant/half.h"
#include "ref/ref_conv.h"

namespace bagel {
namespace {

// Eight partial sums, so that compilers can use vectors.
double Dot(const float* a, const float* b, int64_t count) {
  double sums[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int64_t j = 0; j < 8; ++j) sums[j] += static_cast<double>(a[i + j]) * b[i + j];
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  for (; i < count; ++i) total += static_cast<double>(a[i]) * b[i];
  return total;
}

double SiluOf(double value) { return value / (1.0 + std::exp(-value)); }

float Load(const Tensor& tensor, int64_t row, int64_t column) {
  return tensor.dtype == DType::kBF16 ? BF16ToF32(tensor.row<uint16_t>(row)[column])
                                      : tensor.f32(row)[column];
}

// One softmax-weighted sum: y = sum_j softmax_j(scale q.k_j) v_j over `keys` rows found through the
// two accessors.
template <typename KeyRow, typename ValueRow>
void AttendOne(float* y, const float* q, int64_t keys, int64_t head_dim, const KeyRow& k_row,
               const ValueRow& v_row) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_dim));
  std::vector<double> scores(static_cast<size_t>(keys));
  double largest = -INFINITY;
  for (int64_t j = 0; j < keys; ++j) {
    const double dot = Dot(q, k_row(j), head_dim);
    scores[static_cast<size_t>(j)] = dot * scale;
    largest = std::max(largest, dot * scale);
  }
  double total = 0;
  std::vector<double> sum(static_cast<size_t>(head_dim));
  for (int64_t j = 0; j < keys; ++j) {
    const double weight = std::exp(scores[static_cast<size_t>(j)] - largest);
    total += weight;
    const float* v = v_row(j);
    for (int64_t i = 0; i < head_dim; ++i) sum[static_cast<size_t>(i)] += weight * v[i];
  }
  for (int64_t i = 0; i < head_dim; ++i)
    y[i] = static_cast<float>(sum[static_cast<size_t>(i)] / total);
}

class RefOps final : public Ops {
 public:
  explicit RefOps(bool int8_cache) : int8_cache_(int8_cache) {}

  std::string Name() const override { return "reference"; }
  DType KvType() const override { return int8_cache_ ? DType::kI8 : KeptType(); }
  Roofs MeasureRoofs() override { return {}; }
  void* Allocate(size_t bytes) override {
    return ::operator new (std::max<size_t>(bytes, 1), std::align_val_t{64});
  }
  void Free(void* memory) override { ::operator delete (memory, std::align_val_t{64}); }
  void CopyToDevice(void* device, const void* host, size_t bytes) override {
    if (bytes > 0) std::memcpy(device, host, bytes);
  }
  void CopyToHost(void* host, const void* device, size_t bytes) override {
    if (bytes > 0) std::memcpy(host, device, bytes);
  }

 private:
  void DoEmbed(const Tensor& y, const Weight& table, std::span<const int32_t> ids,
               bool add) override {
    std::vector<float> values(static_cast<size_t>(table.in));
    for (int64_t r = 0; r < y.rows; ++r) {
      UnpackRow(table, ids[static_cast<size_t>(r)], values.data());
      for (int64_t i = 0; i < y.cols; ++i)
        y.f32(r)[i] = values[static_cast<size_t>(i)] + (add ? y.f32(r)[i] : 0.0f);
    }
  }

  void DoLinear(const Tensor& y, const Tensor& x, const Weight& weight, bool add) override {
    std::vector<float> row(static_cast<size_t>(weight.in));
    for (int64_t o = 0; o < weight.out; ++o) {
      UnpackRow(weight, o, row.data());
      for (int64_t r = 0; r < x.rows; ++r) {
        double sum = Dot(x.f32(r), row.data(), weight.in);
        if (weight.bias) sum += weight.bias[o];
        if (add) sum += y.f32(r)[o];
        y.f32(r)[o] = static_cast<float>(sum);
      }
    }
  }

  void DoRmsNorm(const Tensor& y, const Tensor& x, const float* weight, float eps) override {
    for (int64_t r = 0; r < x.rows; ++r) NormRow(y.f32(r), x.f32(r), weight, x.cols, eps);
  }

  void DoLayerNorm(const Tensor& y, const Tensor& x, const float* weight, const float* bias,
                   float eps) override {
    for (int64_t r = 0; r < x.rows; ++r) {
      double mean = 0, variance = 0;
      for (int64_t i = 0; i < x.cols; ++i) mean += x.f32(r)[i];
      mean /= static_cast<double>(x.cols);
      for (int64_t i = 0; i < x.cols; ++i) variance += std::pow(x.f32(r)[i] - mean, 2);
      const double scale = 1.0 / std::sqrt(variance / static_cast<double>(x.cols) + eps);
      for (int64_t i = 0; i < x.cols; ++i)
        y.f32(r)[i] = static_cast<float>((x.f32(r)[i] - mean) * scale * weight[i] + bias[i]);
    }
  }

  void DoGeluTanh(const Tensor& x) override {
    for (int64_t r = 0; r < x.rows; ++r) {
      for (int64_t i = 0; i < x.cols; ++i) {
        const double v = x.f32(r)[i];
        const double inner = std::sqrt(2.0 / M_PI) * (v + 0.044715 * v * v * v);
        x.f32(r)[i] = static_cast<float>(0.5 * v * (1.0 + std::tanh(inner)));
      }
    }
  }

  void DoSilu(const Tensor& x) override {
    for (int64_t r = 0; r < x.rows; ++r) {
      for (int64_t i = 0; i < x.cols; ++i) x.f32(r)[i] = static_cast<float>(SiluOf(x.f32(r)[i]));
    }
  }

  void DoCopy(const Tensor& y, const Tensor& x) override {
    for (int64_t r = 0; r < x.rows; ++r) {
      for (int64_t i = 0; i < x.cols; ++i) {
        if (y.dtype == DType::kBF16)
          y.row<uint16_t>(r)[i] = F32ToBF16(Load(x, r, i));
        else
          y.f32(r)[i] = Load(x, r, i);
      }
    }
  }

  void DoBlend(const Tensor& y, const Tensor& x, float keep, float factor) override {
    for (int64_t r = 0; r < x.rows; ++r) {
      for (int64_t i = 0; i < x.cols; ++i)
        y.f32(r)[i] = static_cast<float>(static_cast<double>(keep) * y.f32(r)[i] +
                                         static_cast<double>(factor) * Load(x, r, i));
    }
  }

  void DoConv2d(const Tensor& y, const Tensor& x, const Weight& weight,
                const ConvGeometry& geometry, const Tensor& factors, bool add) override {
    RefConv2d(y, x, weight, geometry, factors, add);
  }

  void DoGroupMoments(const Tensor& y, const Tensor& x, int64_t groups) override {
    const int64_t size = x.cols / groups;
    const double count = static_cast<double>(size * x.rows);
    for (int64_t g = 0; g < groups; ++g) {
      double mean = 0, variance = 0;
      for (int64_t r = 0; r < x.rows; ++r) {
        for (int64_t i = g * size; i < (g + 1) * size; ++i) mean += x.f32(r)[i];
      }
      mean /= count;
      for (int64_t r = 0; r < x.rows; ++r) {
        for (int64_t i = g * size; i < (g + 1) * size; ++i)
          variance += (x.f32(r)[i] - mean) * (x.f32(r)[i] - mean);
      }
      y.f32(0)[g] = static_cast<float>(mean);
      y.f32(1)[g] = static_cast<float>(variance / count);
    }
  }

  void DoScaleShift(const Tensor& y, const Tensor& x, const Tensor& factors) override {
    for (int64_t r = 0; r < x.rows; ++r) {
      for (int64_t i = 0; i < x.cols; ++i)
        y.f32(r)[i] = static_cast<float>(static_cast<double>(x.f32(r)[i]) * factors.f32(0)[i] +
                                         factors.f32(1)[i]);
    }
  }

  void DoSwiGlu(const Tensor& y, const Tensor& gate, const Tensor& up) override {
    for (int64_t r = 0; r < y.rows; ++r) {
      for (int64_t i = 0; i < y.cols; ++i) {
        y.f32(r)[i] = static_cast<float>(SiluOf(gate.f32(r)[i]) * up.f32(r)[i]);
      }
    }
  }

  void DoHeadNormRope(const Tensor& x, const float* weight, int64_t head_dim, float eps,
                      float theta, int64_t first_row) override {
    const int64_t half = head_dim / 2;
    for (int64_t r = 0; r < x.rows; ++r) {
      const double position = step().positions[static_cast<size_t>(first_row + r)];
      for (int64_t first = 0; first < x.cols; first += head_dim) {
        float* head = x.f32(r) + first;
        NormRow(head, head, weight, head_dim, eps);
        for (int64_t i = 0; i < half; ++i) {
          // The reference computes frequencies and angles in f32, which shows at large positions.
          const float frequency = static_cast<float>(
              1.0 / std::pow(static_cast<double>(theta),
                             2.0 * static_cast<double>(i) / static_cast<double>(head_dim)));
          const double angle = static_cast<float>(position) * frequency;
          const double a = head[i], b = head[i + half];
          head[i] = static_cast<float>(a * std::cos(angle) - b * std::sin(angle));
          head[i + half] = static_cast<float>(b * std::cos(angle) + a * std::sin(angle));
        }
      }
    }
  }

  void DoKvAppend(const KvLayer& cache, const Tensor& k, const Tensor& v) override {
    for (const Span& span : step().spans) {
      for (int64_t r = 0; r < span.rows; ++r) {
        const int64_t page = CachePage(span, span.past + r);
        for (int64_t head = 0; head < cache.kv_heads; ++head) {
          const int64_t from = head * cache.head_dim, place = CachePlace(span.past + r, head);
          StoreKept(cache, cache.KeyPage<char>(page), place, k.f32(span.Row(r)) + from);
          StoreKept(cache, cache.ValuePage<char>(page), place, v.f32(span.Row(r)) + from);
        }
      }
    }
  }

  void DoAttention(const Tensor& y, const Tensor& q, const KvLayer& cache) override {
    const int64_t heads = q.cols / cache.head_dim;
    const int64_t group = heads / cache.kv_heads;
    std::vector<float> keys, values;
    for (const Span& span : step().spans) {
      for (int64_t h = 0; h < heads; ++h) {
        if (h % group == 0) LoadHead(cache, span, h / group, keys, values);
        const auto row_of = [&](const std::vector<float>& all) {
          return [&](int64_t j) { return all.data() + j * cache.head_dim; };
        };
        for (int64_t r = 0; r < span.rows; ++r) {
          const int64_t row = span.Row(r), from = h * cache.head_dim;
          AttendOne(y.f32(row) + from, q.f32(row) + from,
                    span.past + (span.causal ? r + 1 : span.rows), cache.head_dim, row_of(keys),
                    row_of(values));
        }
      }
    }
  }

  // Where the head of a token lies in its page, counted in heads.
  static int64_t CachePlace(int64_t token, int64_t head) {
    return head * kKvPageTokens + token % kKvPageTokens;
  }
  static int64_t CachePage(const Span& span, int64_t token) {
    return span.pages[static_cast<size_t>(token / kKvPageTokens)];
  }
  static void StoreKept(const KvLayer& cache, char* page, int64_t place, const float* values) {
    const auto count = static_cast<size_t>(cache.head_dim);
    if (cache.dtype == DType::kI8) {
      auto* codes = reinterpret_cast<int8_t*>(page);
      cache.Scales(codes)[place] = PackInt8({values, count}, codes + place * cache.head_dim);
    } else {
      std::memcpy(reinterpret_cast<float*>(page) + place * cache.head_dim, values,
                  count * sizeof(float));
    }
  }
  static void LoadKept(const KvLayer& cache, char* page, int64_t place, float* values) {
    if (cache.dtype == DType::kI8) {
      auto* codes = reinterpret_cast<int8_t*>(page);
      const float scale = F16ToF32(cache.Scales(codes)[place]);
      for (int64_t i = 0; i < cache.head_dim; ++i)
        values[i] = static_cast<float>(codes[place * cache.head_dim + i]) * scale;
    } else {
      std::memcpy(values, reinterpret_cast<float*>(page) + place * cache.head_dim,
                  static_cast<size_t>(cache.head_dim) * sizeof(float));
    }
  }
  // Keys and values [tokens][head_dim] of one head, those of the step included.
  static void LoadHead(const KvLayer& cache, const Span& span, int64_t head,
                       std::vector<float>& keys, std::vector<float>& values) {
    const int64_t tokens = span.past + span.rows;
    keys.resize(static_cast<size_t>(tokens * cache.head_dim));
    values.resize(keys.size());
    for (int64_t token = 0; token < tokens; ++token) {
      const int64_t page = CachePage(span, token), place = CachePlace(token, head);
      LoadKept(cache, cache.KeyPage<char>(page), place, keys.data() + token * cache.head_dim);
      LoadKept(cache, cache.ValuePage<char>(page), place, values.data() + token * cache.head_dim);
    }
  }

  void DoFullAttention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                       int64_t heads) override {
    const int64_t head_dim = q.cols / heads;
    for (int64_t r = 0; r < q.rows; ++r) {
      for (int64_t from = 0; from < q.cols; from += head_dim) {
        const auto row_of = [&](const Tensor& t) {
          return [&t, from](int64_t j) -> const float* { return t.f32(j) + from; };
        };
        AttendOne(y.f32(r) + from, q.f32(r) + from, k.rows, head_dim, row_of(k), row_of(v));
      }
    }
  }

  static void NormRow(float* y, const float* x, const float* weight, int64_t cols, float eps) {
    double sum = 0;
    for (int64_t i = 0; i < cols; ++i) sum += static_cast<double>(x[i]) * x[i];
    const double scale = 1.0 / std::sqrt(sum / static_cast<double>(cols) + eps);
    for (int64_t i = 0; i < cols; ++i) y[i] = static_cast<float>(x[i] * scale * weight[i]);
  }

  bool int8_cache_;
};

}  // namespace

std::unique_ptr<Ops> MakeRefOps(bool int8_cache) { return std::make_unique<RefOps>(int8_cache); }

}  // namespace bagel
