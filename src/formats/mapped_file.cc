#include "formats/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace bagel {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  ~FileDescriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

[[noreturn]] void FailWithErrno(const std::string& what, const std::string& path, int code) {
  const bool missing = code == ENOENT || code == ENOTDIR;
  throw Error(missing ? ErrorKind::kNotFound : ErrorKind::kUnavailable,
              "cannot " + what + " " + path + ": " + std::generic_category().message(code));
}

}  // namespace

MappedFile::MappedFile(const std::string& path) : path_(path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    throw Error(ErrorKind::kInvalidArgument, "a file path is empty or holds a zero byte");
  }
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) FailWithErrno("open", path, errno);
  struct stat status = {};
  if (fstat(file.get(), &status) != 0) FailWithErrno("inspect", path, errno);
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorKind::kInvalidArgument,
                path + " is " + (S_ISDIR(status.st_mode) ? "a directory" : "not a regular file") +
                    ", expected a file");
  }
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) return;
  void* const address = mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.get(), 0);
  if (address == MAP_FAILED) {
    FailWithErrno("map the " + std::to_string(size_) + " bytes of", path, errno);
  }
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void MappedFile::WillNeed(std::span<const std::byte> part) const { Advise(part, MADV_WILLNEED); }

void MappedFile::DontNeed(std::span<const std::byte> part) const { Advise(part, MADV_DONTNEED); }

void MappedFile::Sequential() const { Advise(bytes(), MADV_SEQUENTIAL); }

void MappedFile::Advise(std::span<const std::byte> part, int advice) const {
  if (part.empty()) return;
  CHECK(part.data() >= data_ && part.data() + part.size() <= data_ + size_);
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t before = reinterpret_cast<uintptr_t>(part.data()) % page;
  void* const start = const_cast<std::byte*>(part.data() - before);
  // A hint that fails changes nothing but speed.
  static_cast<void>(madvise(start, part.size() + before, advice));
}

}  // namespace bagel
