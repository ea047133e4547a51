// The best values of rows as a GPU finds them, and texts that go on by them.
#include "base/best_values.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "ref/ref_ops.h"
#include "tests/gpu.h"

namespace bagel {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// By one device, from rows that lie in its memory.
std::vector<BestValues> FindOn(Ops& ops, const std::vector<float>& values, int64_t cols) {
  const auto rows = static_cast<int64_t>(values.size()) / cols;
  const size_t bytes = values.size() * sizeof(float);
  void* memory = ops.Allocate(bytes);
  ops.CopyToDevice(memory, values.data(), bytes);
  const size_t best_bytes = static_cast<size_t>(rows) * sizeof(BestValues);
  auto* best = static_cast<BestValues*>(ops.AllocateHost(best_bytes));
  ops.FindBest(best, {memory, DType::kF32, rows, cols, cols});
  ops.Wait();
  std::vector<BestValues> found(best, best + rows);
  ops.FreeHost(best);
  ops.Free(memory);
  return found;
}

// What every device promises of a row.
void ExpectBest(const BestValues& best, const float* row, int64_t cols, const std::string& what) {
  const auto reaching =
      std::count_if(row, row + cols, [&](float value) { return value >= best.floor; });
  ASSERT_GE(best.count, std::min<int64_t>(BestValues::kSought, cols)) << what;
  ASSERT_EQ(best.count, reaching) << what;
  std::vector<bool> seen(static_cast<size_t>(cols));
  for (int32_t i = 0; i < best.count; ++i) {
    const int32_t column = best.columns[i];
    ASSERT_TRUE(column >= 0 && column < cols) << what;
    EXPECT_FALSE(seen[static_cast<size_t>(column)]) << what;
    seen[static_cast<size_t>(column)] = true;
    EXPECT_EQ(best.values[i], row[column]) << what;
    EXPECT_GE(best.values[i], best.floor) << what;
  }
}

std::vector<float> RandomRows(int64_t rows, int64_t cols, uint32_t seed, float mean) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(mean, 3);
  std::vector<float> values(static_cast<size_t>(rows * cols));
  for (float& value : values) value = normal(random);
  return values;
}

struct Device {
  std::string name;
  std::unique_ptr<Ops> ops;
};

std::vector<Device> Devices() {
  std::vector<Device> devices;
  devices.push_back({"Reference", MakeRefOps()});
  for (const GpuProfile& gpu : GpuProfiles()) devices.push_back({gpu.name, gpu.Make()});
  return devices;
}

TEST(BestValuesTest, AllThatReachTheFloor) {
  uint32_t seed = 1;
  for (const Device& device : Devices()) {
    for (const int64_t cols : {1, 127, 128, 129, 600, 1280, 4097, 152064}) {
      for (const float mean : {0.0f, 20.0f, -1e6f}) {
        const int64_t rows = cols > 10000 ? 2 : 5;
        const std::vector<float> values = RandomRows(rows, cols, seed++, mean);
        const std::vector<BestValues> found = FindOn(*device.ops, values, cols);
        for (int64_t row = 0; row < rows; ++row)
          ExpectBest(found[static_cast<size_t>(row)], &values[static_cast<size_t>(row * cols)],
                     cols, device.name + " " + std::to_string(cols));
      }
    }
  }
}

TEST(BestValuesTest, TheBestNextToEachOther) {
  constexpr int64_t kCols = 20000;
  for (const Device& device : Devices()) {
    std::vector<float> values = RandomRows(1, kCols, 7, 0);
    for (int i = 0; i < 300; ++i)
      values[static_cast<size_t>(1000 + i)] = 50 + 0.5f * static_cast<float>(i % 150);
    ExpectBest(FindOn(*device.ops, values, kCols)[0], values.data(), kCols, device.name);
  }
}

TEST(BestValuesTest, RowsWithoutOrder) {
  constexpr int64_t kCols = 2000;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Device& device : Devices()) {
    std::vector<float> values = RandomRows(5, kCols, 9, 0);
    values[1234] = nan;
    std::fill_n(&values[kCols], kCols, 1.5f);
    std::fill_n(&values[2 * kCols], kCols, -kInfinity);
    values[3 * kCols + 5] = kInfinity;
    values[4 * kCols + 1999] = -nan;
    const std::vector<BestValues> found = FindOn(*device.ops, values, kCols);
    EXPECT_EQ(found[0].count, BestValues::kNotNumbers) << device.name;
    EXPECT_EQ(found[1].count, BestValues::kTooMany) << device.name;
    EXPECT_EQ(found[2].count, BestValues::kTooMany) << device.name;
    ExpectBest(found[3], &values[3 * kCols], kCols, device.name);
    EXPECT_EQ(found[4].count, BestValues::kNotNumbers) << device.name;
  }
}

TEST(BestValuesTest, BothZerosAreEqual) {
  constexpr int64_t kCols = 300;
  for (const Device& device : Devices()) {
    std::vector<float> values(kCols, -1);
    for (size_t i = 0; i < 130; ++i) values[2 * i] = i % 2 == 0 ? 0.0f : -0.0f;
    ExpectBest(FindOn(*device.ops, values, kCols)[0], values.data(), kCols, device.name);
  }
}

}  // namespace
}  // namespace bagel
