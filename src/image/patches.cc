#include "image/patches.h"

#include <array>
#include <cstddef>
#include <string>

#include "base/error.h"

namespace bagel {
namespace {

std::array<float, 256> NormalisedValues() {
  std::array<float, 256> values{};
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = (static_cast<float>(i) / 255.0F - 0.5F) / 0.5F;
  }
  return values;
}

}  // namespace

UninitialisedVector<float> PatchRows(const Picture& picture, int patch, ThreadPool* pool) {
  CHECK(patch > 0 && picture.width > 0 && picture.height > 0);
  CHECK(picture.width % patch == 0 && picture.height % patch == 0);
  const size_t side = static_cast<size_t>(patch);
  const size_t row_bytes = static_cast<size_t>(picture.width) * 3;
  const size_t patch_row_bytes = side * 3;
  CHECK(picture.rgb.size() == row_bytes * static_cast<size_t>(picture.height));
  const size_t grid_rows = static_cast<size_t>(picture.height) / side;
  const size_t grid_columns = static_cast<size_t>(picture.width) / side;
  static const std::array<float, 256> kNormalised = NormalisedValues();
  UninitialisedVector<float> rows(picture.rgb.size());
  ParallelFor(pool, static_cast<int64_t>(grid_rows), [&](int64_t task) {
    const auto row = static_cast<size_t>(task);
    float* out = rows.data() + row * side * row_bytes;
    for (size_t column = 0; column < grid_columns; ++column) {
      const uint8_t* in = picture.rgb.data() + row * side * row_bytes + column * patch_row_bytes;
      for (size_t y = 0; y < side; ++y, in += row_bytes) {
        for (size_t i = 0; i < patch_row_bytes; ++i) *out++ = kNormalised[in[i]];
      }
    }
  });
  return rows;
}

std::vector<int32_t> PatchPositions(int rows, int columns, int side) {
  CHECK(rows > 0 && columns > 0 && side > 0);
  if (rows > side || columns > side) {
    throw Error(ErrorKind::kTooLarge, "a picture of " + std::to_string(rows) + " rows and " +
                                          std::to_string(columns) +
                                          " columns of patches is more than the model's " +
                                          std::to_string(side) + " a side");
  }
  std::vector<int32_t> positions;
  positions.reserve(static_cast<size_t>(rows) * static_cast<size_t>(columns));
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) positions.push_back(row * side + column);
  }
  return positions;
}

}  // namespace bagel
