#include "vision/snapshots.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/error.h"

namespace bagel::vision {
namespace fs = std::filesystem;

Snapshots::Snapshots(const SnapshotOptions& options) : options_(options) {
  std::error_code error;
  if (fs::create_directories(options_.folder, error)) {
    fs::permissions(options_.folder, fs::perms::owner_all, error);
  }
  if (!fs::is_directory(options_.folder, error)) {
    throw Error(ErrorKind::kUnavailable,
                options_.folder + " is not a folder and cannot be made one");
  }
}

std::string Snapshots::Save(const std::string& name, const std::string& jpeg) {
  const std::lock_guard lock(mutex_);
  std::string path = (fs::path(options_.folder) / (name + ".jpg")).string();
  const int file =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  bool written = file >= 0;
  for (size_t at = 0; written && at < jpeg.size();) {
    const ssize_t count = ::write(file, jpeg.data() + at, jpeg.size() - at);
    written = count > 0 || errno == EINTR;
    at += count > 0 ? static_cast<size_t>(count) : 0;
  }
  const int reason = errno;
  if (file >= 0) {
    ::close(file);
  }
  if (!written) {
    throw Error(ErrorKind::kUnavailable, path + " cannot be written: " + std::strerror(reason));
  }
  Prune();
  return path;
}

void Snapshots::Prune() {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  for (fs::directory_iterator entry(options_.folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    if (entry->path().extension() == ".jpg" && entry->is_regular_file(ignored)) {
      files.emplace_back(entry->last_write_time(ignored), entry->path());
    }
  }
  std::sort(files.begin(), files.end());
  const auto oldest = fs::file_time_type::clock::now() - options_.max_age;
  for (size_t i = 0; i < files.size(); ++i) {
    if (files.size() - i > options_.max_files || files[i].first < oldest) {
      fs::remove(files[i].second, error);
    }
  }
}

}  // namespace bagel::vision
