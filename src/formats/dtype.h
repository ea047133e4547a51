// Element types of stored tensors.
#ifndef BAGEL_FORMATS_DTYPE_H_
#define BAGEL_FORMATS_DTYPE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bagel {

enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kF64,
  kF8E4M3,
  kF8E5M2,
  kI8,
  kI16,
  kI32,
  kI64,
  kU8,
  kU16,
  kU32,
  kU64,
  kBool,
};

// Bytes of one element: 1, 2, 4 or 8.
size_t DTypeSize(DType dtype);

// The name in a safetensors header: "F32", "BF16", "F8_E4M3", "BOOL", ...
std::string_view DTypeName(DType dtype);

// The inverse of DTypeName; nothing for other names.
std::optional<DType> DTypeFromName(std::string_view name);

}  // namespace bagel

#endif  // BAGEL_FORMATS_DTYPE_H_
