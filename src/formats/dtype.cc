#include "formats/dtype.h"

#include <array>

#include "base/error.h"

namespace bagel {
namespace {

struct DTypeRow {
  DType dtype;
  size_t size;
  std::string_view name;
};

constexpr std::array<DTypeRow, 15> kRows = {{
    {DType::kF32, 4, "F32"},
    {DType::kF16, 2, "F16"},
    {DType::kBF16, 2, "BF16"},
    {DType::kF64, 8, "F64"},
    {DType::kF8E4M3, 1, "F8_E4M3"},
    {DType::kF8E5M2, 1, "F8_E5M2"},
    {DType::kI8, 1, "I8"},
    {DType::kI16, 2, "I16"},
    {DType::kI32, 4, "I32"},
    {DType::kI64, 8, "I64"},
    {DType::kU8, 1, "U8"},
    {DType::kU16, 2, "U16"},
    {DType::kU32, 4, "U32"},
    {DType::kU64, 8, "U64"},
    {DType::kBool, 1, "BOOL"},
}};

const DTypeRow& Row(DType dtype) {
  const size_t index = static_cast<size_t>(dtype);
  CHECK(index < kRows.size() && kRows[index].dtype == dtype);
  return kRows[index];
}

}  // namespace

size_t DTypeSize(DType dtype) { return Row(dtype).size; }

std::string_view DTypeName(DType dtype) { return Row(dtype).name; }

std::optional<DType> DTypeFromName(std::string_view name) {
  for (const DTypeRow& row : kRows) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

}  // namespace bagel
