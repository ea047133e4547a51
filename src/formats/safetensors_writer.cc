#include "formats/safetensors_writer.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <numeric>
#include <set>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "formats/json.h"
#include "formats/quote.h"

namespace bagel {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr size_t kAlignment = 8;
constexpr std::string_view kMetadataKey = "__metadata__";

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

uint64_t ByteCount(const TensorDeclaration& tensor, const std::string& path) {
  int64_t bytes = static_cast<int64_t>(DTypeSize(tensor.dtype));
  bool empty = false;
  for (const int64_t dimension : tensor.shape) {
    empty = empty || dimension == 0;
    if (dimension < 0 || __builtin_mul_overflow(bytes, std::max<int64_t>(dimension, 1), &bytes)) {
      throw Error(ErrorKind::kInvalidArgument, path + ": tensor " + Quote(tensor.name) +
                                                   ": the shape is negative or overflows 2^63-1 " +
                                                   "bytes at dimension " +
                                                   std::to_string(dimension));
    }
  }
  return empty ? 0 : static_cast<uint64_t>(bytes);
}

void CheckNames(const std::vector<TensorDeclaration>& tensors, const std::string& path) {
  std::set<std::string_view> names;
  for (const TensorDeclaration& tensor : tensors) {
    const bool usable =
        !tensor.name.empty() && tensor.name != kMetadataKey && IsValidUtf8(tensor.name);
    if (!usable || !names.insert(tensor.name).second) {
      throw Error(ErrorKind::kInvalidArgument,
                  path + ": cannot write a tensor named " + Quote(tensor.name) +
                      (usable ? " a second time" : ": empty, reserved or not UTF-8"));
    }
  }
}

void CheckDiskSpace(const std::string& path, uint64_t needed) {
  struct statvfs disk = {};
  if (statvfs(FolderOf(path).c_str(), &disk) != 0) return;  // creating the file will tell
  const uint64_t available = uint64_t{disk.f_bavail} * uint64_t{disk.f_frsize};
  if (needed > available) {
    throw Error(ErrorKind::kUnavailable, path + ": needs " + std::to_string(needed) +
                                             " bytes, but its disk has only " +
                                             std::to_string(available) + " free");
  }
}

// "<length><JSON padded with spaces>", so that the data after it is aligned. `offsets` counts from
// the start of the data.
std::string Header(const std::vector<TensorDeclaration>& tensors,
                   const std::vector<uint64_t>& sizes, const std::vector<uint64_t>& offsets,
                   const std::map<std::string, std::string>& metadata) {
  Json json = Json::object();
  if (!metadata.empty()) json[std::string(kMetadataKey)] = metadata;
  for (size_t i = 0; i < tensors.size(); ++i) {
    json[tensors[i].name] = {{"dtype", DTypeName(tensors[i].dtype)},
                             {"shape", tensors[i].shape},
                             {"data_offsets", {offsets[i], offsets[i] + sizes[i]}}};
  }
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  std::string header(kLengthBytes, '\0');
  for (size_t i = 0; i < kLengthBytes; ++i) {
    header[i] = static_cast<char>((text.size() >> (8 * i)) & 0xFF);
  }
  return header + text;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::string& path,
                                     std::vector<TensorDeclaration> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : path_(path), tensors_(std::move(tensors)) {
  CheckNames(tensors_, path_);
  for (const TensorDeclaration& tensor : tensors_) sizes_.push_back(ByteCount(tensor, path_));
  std::vector<size_t> order(tensors_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return DTypeSize(tensors_[a].dtype) > DTypeSize(tensors_[b].dtype);
  });
  offsets_.resize(tensors_.size());
  uint64_t end = 0;
  for (const size_t index : order) {
    offsets_[index] = end;
    if (__builtin_add_overflow(end, sizes_[index], &end) || end > uint64_t{1} << 62) {
      throw Error(ErrorKind::kInvalidArgument, path_ + ": the tensors overflow 2^62 bytes");
    }
  }
  const std::string header = Header(tensors_, sizes_, offsets_, metadata);
  CheckDiskSpace(path_, header.size() + end);
  for (uint64_t& offset : offsets_) offset += header.size();

  static std::atomic<unsigned> counter{0};
  temporary_path_ =
      path_ + "." + std::to_string(getpid()) + "-" + std::to_string(counter++) + ".partial";
  descriptor_ = open(temporary_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) FailWithErrno("create");
  try {
    WriteAt(std::as_bytes(std::span(header)), 0);
  } catch (const Error&) {
    Abandon();
    throw;
  }
  SkipFilled();
}

SafetensorsWriter::~SafetensorsWriter() { Abandon(); }

void SafetensorsWriter::Abandon() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(temporary_path_.c_str());
  descriptor_ = -1;
}

void SafetensorsWriter::Append(std::string_view name, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  CHECK(descriptor_ >= 0);
  CHECK(current_ < tensors_.size() && tensors_[current_].name == name);
  CHECK(bytes.size() <= sizes_[current_] - filled_);
  WriteAt(bytes, offsets_[current_] + filled_);
#ifdef SYNC_FILE_RANGE_WRITE
  // Starts the writing now, so that Finish does not wait for all of it; a hint that may fail.
  static_cast<void>(sync_file_range(descriptor_, static_cast<off64_t>(offsets_[current_] + filled_),
                                    static_cast<off64_t>(bytes.size()), SYNC_FILE_RANGE_WRITE));
#endif
  filled_ += bytes.size();
  SkipFilled();
}

void SafetensorsWriter::SkipFilled() {
  while (current_ < tensors_.size() && filled_ == sizes_[current_]) {
    ++current_;
    filled_ = 0;
  }
}

void SafetensorsWriter::Finish() {
  CHECK(descriptor_ >= 0);
  CHECK(current_ == tensors_.size());
  if (fsync(descriptor_) != 0) FailWithErrno("flush");
  if (rename(temporary_path_.c_str(), path_.c_str()) != 0) FailWithErrno("rename");
  close(descriptor_);
  descriptor_ = -1;
  // The new name, too, should outlive a power cut; a file system that cannot promise it still has
  // the file.
  const int folder = open(FolderOf(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  static_cast<void>(fsync(folder));
  close(folder);
}

void SafetensorsWriter::WriteAt(std::span<const std::byte> bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written =
        pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) FailWithErrno("write");
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
}

void SafetensorsWriter::FailWithErrno(const std::string& what) const {
  throw Error(ErrorKind::kUnavailable, "cannot " + what + " " + temporary_path_ + " for " + path_ +
                                           ": " + std::generic_category().message(errno));
}

}  // namespace bagel
