#include "formats/safetensors.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/error.h"
#include "formats/quote.h"
#include "formats/safetensors_header.h"

namespace bagel {
namespace {

// Stored numbers are little-endian and used in place.
static_assert(std::endian::native == std::endian::little);

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;

// The header's text; checks the length in front of it against the file.
std::string_view HeaderText(const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  if (bytes.size() < kLengthBytes) {
    throw Error(ErrorKind::kCorrupt, file.path() + ": has " + std::to_string(bytes.size()) +
                                         " bytes, too few for a safetensors file");
  }
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length |= static_cast<uint64_t>(bytes[i]) << (8 * i);
  }
  if (length > kMaxHeaderBytes) {
    throw Error(ErrorKind::kTooLarge, file.path() + ": the header claims " +
                                          std::to_string(length) + " bytes, more than the limit " +
                                          std::to_string(kMaxHeaderBytes));
  }
  if (length > bytes.size() - kLengthBytes) {
    throw Error(ErrorKind::kCorrupt, file.path() + ": the header claims " + std::to_string(length) +
                                         " bytes, but only " +
                                         std::to_string(bytes.size() - kLengthBytes) + " follow");
  }
  return {reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, static_cast<size_t>(length)};
}

using NamedEntry = std::pair<const std::string, SafetensorsHeaderEntry>;

// The format allows neither gaps nor overlaps nor bytes after the last tensor.
void CheckLayout(const SafetensorsHeader& header, uint64_t data_bytes, const std::string& path) {
  std::vector<const NamedEntry*> order;
  order.reserve(header.tensors.size());
  for (const NamedEntry& named : header.tensors) order.push_back(&named);
  std::sort(order.begin(), order.end(), [](const NamedEntry* a, const NamedEntry* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  uint64_t expected = 0;
  for (const NamedEntry* named : order) {
    const SafetensorsHeaderEntry& entry = named->second;
    const std::string where = path + ": tensor " + Quote(named->first) + ":";
    if (entry.end > data_bytes) {
      throw Error(ErrorKind::kCorrupt, where + " ends at data byte " + std::to_string(entry.end) +
                                           ", but the file holds " + std::to_string(data_bytes) +
                                           " (is it cut off?)");
    }
    if (entry.begin != expected) {
      throw Error(ErrorKind::kCorrupt,
                  where + " begins at data byte " + std::to_string(entry.begin) +
                      (entry.begin < expected ? " inside another tensor" : " after a gap") +
                      ", expected " + std::to_string(expected));
    }
    expected = entry.end;
  }
  if (expected != data_bytes) {
    throw Error(ErrorKind::kCorrupt, path + ": the file holds " + std::to_string(data_bytes) +
                                         " data bytes, but its tensors end at " +
                                         std::to_string(expected));
  }
}

void CheckAlignment(const TensorEntry& entry, const std::string& name, const std::string& path) {
  const size_t size = DTypeSize(entry.dtype);
  if (entry.data.empty() || reinterpret_cast<uintptr_t>(entry.data.data()) % size == 0) return;
  throw Error(ErrorKind::kUnsupported, path + ": the data of tensor " + Quote(name) +
                                           " is not aligned to its " + std::to_string(size) +
                                           "-byte elements; a current safetensors library writes " +
                                           "aligned files");
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(path) {
  const std::string_view text = HeaderText(file_);
  SafetensorsHeader header = ParseSafetensorsHeader(text, path);
  const std::span<const std::byte> data = file_.bytes().subspan(kLengthBytes + text.size());
  CheckLayout(header, data.size(), path);
  for (auto& [name, stored] : header.tensors) {
    TensorEntry entry;
    entry.dtype = stored.dtype;
    entry.shape = std::move(stored.shape);
    entry.data = data.subspan(stored.begin, stored.end - stored.begin);
    CheckAlignment(entry, name, path);
    tensors_.emplace_hint(tensors_.end(), name, std::move(entry));
  }
  metadata_ = std::move(header.metadata);
}

const TensorEntry* SafetensorsFile::Find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace bagel
