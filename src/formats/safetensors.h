// Reading safetensors files (https://github.com/huggingface/safetensors, "Format"): eight bytes of
// header length, a JSON header, then the tensors' bytes without gaps.
#ifndef BAGEL_FORMATS_SAFETENSORS_H_
#define BAGEL_FORMATS_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/dtype.h"
#include "formats/mapped_file.h"

namespace bagel {

// One stored tensor, row-major. `data` points into the mapped file, holds exactly
// DTypeSize(dtype) * product(shape) bytes and is aligned to the element size. The product of the
// dimensions, zeros counted as ones, fits int64_t. An empty shape is one element.
struct TensorEntry {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;

  int64_t elements() const { return static_cast<int64_t>(data.size() / DTypeSize(dtype)); }
};

using TensorMap = std::map<std::string, TensorEntry, std::less<>>;

// A mapped file whose header has been checked against the format's rules and against the file's
// size. The entries stay valid when the object is moved and end with it.
class SafetensorsFile {
 public:
  // Throws what MappedFile throws; kCorrupt for a file that breaks the format, kTooLarge for a
  // header over 100 MB (the limit of the reference implementation), kUnsupported for an unknown
  // element type or data that is not aligned to its element size.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const MappedFile& file() const { return file_; }
  const TensorMap& tensors() const { return tensors_; }
  // The free text under "__metadata__", such as {"format": "pt"}.
  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }

  // The entry, or nullptr.
  const TensorEntry* Find(std::string_view name) const;

 private:
  MappedFile file_;
  TensorMap tensors_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

// The tensors of a checkpoint folder, whether stored as one file or as shards.
class SafetensorsFolder {
 public:
  // For each stem in turn, the first of these that exists is taken: `stem.safetensors`, then the
  // shards named by `stem.safetensors.index.json`. So a whole file wins over an index beside it,
  // which may name files that are not there. Throws kNotFound when no stem has either; kCorrupt
  // when the index is broken, names something other than a plain file of the folder, or disagrees
  // with the shards, or when two shards hold the same name; and what SafetensorsFile throws.
  SafetensorsFolder(const std::string& folder, const std::vector<std::string>& stems);

  const std::string& folder() const { return folder_; }
  const TensorMap& tensors() const { return tensors_; }
  const std::vector<SafetensorsFile>& files() const { return files_; }

  // The entry, or nullptr.
  const TensorEntry* Find(std::string_view name) const;
  // The entry; throws kCorrupt naming the folder and the tensor when it is missing.
  const TensorEntry& Get(std::string_view name) const;

 private:
  void AddFile(SafetensorsFile file);
  void AddShards(const std::string& index_path);

  std::string folder_;
  std::vector<SafetensorsFile> files_;
  TensorMap tensors_;
};

}  // namespace bagel

#endif  // BAGEL_FORMATS_SAFETENSORS_H_
