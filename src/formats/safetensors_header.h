// The JSON header of a safetensors file, before its offsets are held against the file's size.
#ifndef BAGEL_FORMATS_SAFETENSORS_HEADER_H_
#define BAGEL_FORMATS_SAFETENSORS_HEADER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "formats/dtype.h"

namespace bagel {

// Offsets count from the first byte after the header.
struct SafetensorsHeaderEntry {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, SafetensorsHeaderEntry, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> metadata;
};

// Reads the header as a stream, so memory stays in proportion to its text. Every entry has a known
// dtype, non-negative dimensions, and end - begin == DTypeSize * product(shape) without overflow;
// no name comes twice. Throws kCorrupt or kUnsupported, with `path` and the tensor in the message.
SafetensorsHeader ParseSafetensorsHeader(std::string_view json, const std::string& path);

}  // namespace bagel

#endif  // BAGEL_FORMATS_SAFETENSORS_HEADER_H_
