// Attention over pages of keys and values, and over whole rows.
#include "tests/ops_test.h"

namespace bagel {
namespace {

// The same with keys and values in 8 bits, where a key that is normed by another sum may have a
// code that is rounded to the other side: 5e-5 of a result over 100 keys.
std::vector<Device> Int8CacheDevices() {
  std::vector<Device> devices = {
      {"CpuExact", [] { return MakeCpuOps({.threads = 2, .exact = true, .int8_cache = true}); },
       5e-5, 2e-4, 1e-6},
      {"CpuFast", [] { return MakeCpuOps({.threads = 3, .int8_cache = true}); }, 5e-3, 1.5e-2,
       1e-6}};
  for (const GpuProfile& gpu : GpuProfiles()) {
    const auto make = [gpu] { return gpu.Make("int8"); };
    devices.push_back({std::string(gpu.name) + "F32", make, 5e-3, 5e-3, 2e-6});
    devices.push_back({std::string(gpu.name) + "F16", make, 5e-3, 5e-3, 5e-4, DType::kF16});
  }
  for (Device& device : devices) device.int8_cache = true;
  return devices;
}

// Fills contexts in several steps; the last one attends. `normed`: its heads are normed and turned
// before.
void AttendInSteps(Placed& on, const std::vector<std::vector<Span>>& steps, int64_t heads,
                   int64_t kv_heads, int64_t head_dim, const Tensor& y, bool normed = false) {
  constexpr int64_t kPages = 24;
  Ops& ops = on.ops();
  KvLayer cache{nullptr, nullptr, ops.KvType(), kPages, kv_heads, head_dim};
  for (void** memory : {&cache.k, &cache.v, &cache.scratch_k, &cache.scratch_v})
    *memory = on.Take(DType::kU8, kPages, cache.PageBytes()).data;
  uint32_t seed = 1;
  for (const std::vector<Span>& spans : steps) {
    Step step;
    step.spans = spans;
    step.positions.resize(
        static_cast<size_t>(spans.back().first_row + spans.back().rows - spans.back().lead));
    const int64_t rows = step.rows();
    const Matrix q(rows, heads * head_dim, ++seed, 2), k(rows, kv_heads * head_dim, ++seed),
        v(rows, kv_heads * head_dim, ++seed);
    for (const Span& span : spans)
      for (int64_t i = 0; i < span.rows; ++i)
        step.positions[static_cast<size_t>(span.Row(i))] = static_cast<int32_t>(span.past + i);
    ops.BeginStep(step);
    const bool last = &spans == &steps.back();
    if (last && normed) {
      const HeadNorms norms{0, rows, on.Vector(Matrix(1, head_dim, ++seed, 2).values()),
                            on.Vector(Matrix(1, head_dim, ++seed, 2).values())};
      ops.NormRopeAttention(y, cache, on.Put(q), on.Put(k), on.Put(v), std::span(&norms, 1), 1e-6f,
                            1e6f);
      continue;
    }
    ops.KvAppend(cache, on.Put(k), on.Put(v));
    if (last) ops.Attention(y, on.Put(q), cache);
  }
}

class AttentionTest : public OpsTest {};

TEST_P(AttentionTest, OverPages) {
  const double bound = GetParam().product_bound * 2;  // two products
  // A text, a picture that crosses pages, then a batch: one decodes, one goes on with a text.
  const std::vector<std::vector<Span>> steps = {
      {{0, 5, 0, true, {3}}},
      {{0, 300, 5, false, {3, 0, 7}}},
      {{0, 1, 305, true, {3, 0, 7}}, {1, 40, 0, true, {9}}, {41, 129, 0, false, {11, 10}}}};
  Compare(Matrix(170, 7 * 128, 1), bound, "7 heads to 1",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 7, 1, 128, y); });
  Compare(Matrix(170, 4 * 64, 1), bound, "2 kv heads of 64",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 4, 2, 64, y); });
}

TEST_P(AttentionTest, RealShape) {
  const std::vector<std::vector<Span>> steps = {
      {{0, 1400, 0, false, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}},
      {{0, 3, 1400, true, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}}};
  Compare(Matrix(3, 28 * 128, 1), GetParam().product_bound * 2, "28 heads to 4",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 28, 4, 128, y); });
}

// Every context goes on by one token, as when texts are decoded together.
TEST_P(AttentionTest, NormRopeOfSingleRows) {
  const std::vector<std::vector<Span>> steps = {
      {{0, 400, 0, true, {0, 1, 2, 3}}, {400, 127, 0, true, {4}}, {527, 128, 0, false, {5}}},
      {{0, 1, 400, true, {0, 1, 2, 3}},
       {1, 1, 127, true, {4}},
       {2, 1, 128, true, {5, 6}},
       {3, 1, 0, true, {7}}}};
  const double bound = GetParam().product_bound * 2;
  Compare(Matrix(4, 14 * 128, 1), bound, "14 heads to 2",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 14, 2, 128, y, true); });
  Compare(Matrix(4, 2 * 128, 1), bound, "2 heads to 1",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 2, 1, 128, y, true); });
  Compare(Matrix(4, 8 * 128, 1), bound, "8 heads to 1",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 8, 1, 128, y, true); });
  const std::vector<std::vector<Span>> text = {{{0, 100, 0, true, {2}}},
                                               {{0, 60, 100, true, {2, 9}}}};
  Compare(Matrix(60, 14 * 128, 1), bound, "a text",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, text, 14, 2, 128, y, true); });
}

TEST_P(AttentionTest, OfSpansWithLeads) {
  // A prompt, then two passes over pictures whose markers lie together, one of them in scratch.
  const std::vector<std::vector<Span>> steps = {
      {{0, 5, 0, true, {3}}, {5, 128, 0, true, {4}}},
      {{4, 200, 5, false, {3, 24, 25}, 2, 0}, {202, 200, 128, false, {4, 26, 27}, 2, 2}}};
  Compare(Matrix(400, 2 * 128, 1), GetParam().product_bound * 2, "leads",
          [&](Placed& on, const Tensor& y) { AttendInSteps(on, steps, 2, 1, 128, y); });
}

TEST_P(OpsTest, FullAttention) {
  struct Shape {
    int64_t rows, heads, head_dim;
  };
  uint32_t seed = 400;
  for (const Shape& shape : {Shape{1, 1, 72}, {200, 16, 72}, {129, 2, 512}, {37, 3, 20}}) {
    const int64_t cols = shape.heads * shape.head_dim;
    const Matrix q(shape.rows, cols, ++seed, 2), k(shape.rows, cols, ++seed),
        v(shape.rows, cols, ++seed);
    Compare(Matrix(shape.rows, cols, ++seed), GetParam().product_bound * 2,
            std::to_string(shape.rows) + " rows, " + std::to_string(shape.heads) + " heads",
            [&](Placed& on, const Tensor& y) {
              on.ops().FullAttention(y, on.Put(q), on.Put(k), on.Put(v), shape.heads);
            });
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, AttentionTest, testing::ValuesIn(Devices()), kDeviceName);
INSTANTIATE_TEST_SUITE_P(Int8Cache, AttentionTest, testing::ValuesIn(Int8CacheDevices()),
                         kDeviceName);

}  // namespace
}  // namespace bagel
