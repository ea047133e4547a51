// Writing safetensors files as a stream.
#ifndef BAGEL_FORMATS_SAFETENSORS_WRITER_H_
#define BAGEL_FORMATS_SAFETENSORS_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/dtype.h"

namespace bagel {

struct TensorDeclaration {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
};

// The header is written at once, from the declarations; then the data is appended in their order,
// in chunks of any size. Inside the file, tensors with larger elements come first, so all data is
// aligned. Everything goes to a temporary file beside the target, which takes the target's name in
// Finish() and is removed if the writer is destroyed before that.
class SafetensorsWriter {
 public:
  // Throws kUnavailable with the numbers when the disk has too little room, kInvalidArgument when
  // a name comes twice, is empty, reserved or not UTF-8, or a shape is negative or overflows, and
  // kUnavailable with the path when the file cannot be created.
  SafetensorsWriter(const std::string& path, std::vector<TensorDeclaration> tensors,
                    const std::map<std::string, std::string>& metadata = {});
  ~SafetensorsWriter();
  SafetensorsWriter(const SafetensorsWriter&) = delete;
  SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

  // Appends to the tensor that is being filled, which must be `name`; tensors without elements are
  // passed over. Throws kUnavailable when the disk refuses.
  void Append(std::string_view name, std::span<const std::byte> bytes);

  // After the last byte of the last tensor: flushes to the disk and gives the file its name.
  void Finish();

 private:
  void WriteAt(std::span<const std::byte> bytes, uint64_t offset);
  void SkipFilled();
  void Abandon();
  [[noreturn]] void FailWithErrno(const std::string& what) const;

  std::string path_;
  std::string temporary_path_;
  int descriptor_ = -1;
  std::vector<TensorDeclaration> tensors_;
  std::vector<uint64_t> sizes_;    // bytes of each declared tensor
  std::vector<uint64_t> offsets_;  // in the file
  size_t current_ = 0;
  uint64_t filled_ = 0;  // bytes of the current tensor
};

}  // namespace bagel

#endif  // BAGEL_FORMATS_SAFETENSORS_WRITER_H_
