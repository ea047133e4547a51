// A file's bytes as read-only memory, paged in by the system when touched.
#ifndef BAGEL_FORMATS_MAPPED_FILE_H_
#define BAGEL_FORMATS_MAPPED_FILE_H_

#include <cstddef>
#include <span>
#include <string>

namespace bagel {

// The mapping lives as long as the object; moving it keeps the bytes where they are. The file must
// not shrink while mapped: touching a page that is gone ends the process (SIGBUS), and guarding
// against that is out of scope. Replacing a file by rename is safe.
class MappedFile {
 public:
  // Throws kNotFound when there is no such file, kInvalidArgument when it is not a regular file,
  // kUnavailable when the system refuses to open or map it. An empty file has empty bytes.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // Hints to the system, which may ignore them; `part` lies within bytes().
  void WillNeed(std::span<const std::byte> part) const;  // start reading it in
  void DontNeed(std::span<const std::byte> part) const;  // its memory may be reused
  void Sequential() const;                               // the file will be read front to back

 private:
  void Advise(std::span<const std::byte> part, int advice) const;

  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace bagel

#endif  // BAGEL_FORMATS_MAPPED_FILE_H_
