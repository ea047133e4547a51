// Helpers of this room's and its neighbours' tests.
#ifndef BAGEL_FORMATS_TEST_SUPPORT_H_
#define BAGEL_FORMATS_TEST_SUPPORT_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "formats/mapped_file.h"

namespace bagel {

// A folder that is empty at first and gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "bagel-test-XXXXXX").string();
    CHECK(mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string Path(const std::string& name) const { return path_ + "/" + name; }
  // Returns the path. A new file each time: file systems flush one that is emptied and refilled.
  std::string Write(const std::string& name, std::string_view content) const {
    std::filesystem::remove(Path(name));
    std::ofstream(Path(name), std::ios::binary) << content;
    return Path(name);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::vector<std::byte> ReadBytes(const std::string& path) {
  const MappedFile file(path);
  return {file.bytes().begin(), file.bytes().end()};
}

inline uint64_t Fnv1a64(std::span<const uint8_t> bytes) {
  uint64_t value = 0xCBF29CE484222325U;
  for (const uint8_t byte : bytes) value = (value ^ byte) * 0x100000001B3U;
  return value;
}

// One of a valid file's damaged forms: cut off, bytes changed, a piece removed or repeated.
inline std::vector<std::byte> Mutated(std::vector<std::byte> bytes, std::mt19937& random) {
  const auto below = [&](size_t limit) { return limit == 0 ? 0 : random() % limit; };
  const auto at = [&](size_t index) { return bytes.begin() + static_cast<ptrdiff_t>(index); };
  switch (below(6)) {
    case 0:
      bytes.resize(below(bytes.size()));
      break;
    case 1: {
      const size_t first = below(bytes.size());
      bytes.erase(at(first), at(first + below(std::min<size_t>(bytes.size() - first, 16) + 1)));
      break;
    }
    case 2: {
      const size_t first = below(bytes.size());
      const size_t count = std::min<size_t>(bytes.size() - first, 1 + below(16));
      const std::vector<std::byte> piece(at(first), at(first + count));
      bytes.insert(at(below(bytes.size())), piece.begin(), piece.end());
      break;
    }
    default:
      for (size_t flips = 1 + below(4); flips > 0; --flips) {
        // Headers get more than their share.
        const size_t index =
            below(below(2) == 0 ? std::min<size_t>(bytes.size(), 64) : bytes.size());
        bytes[index] = below(2) == 0 ? bytes[index] ^ static_cast<std::byte>(1U << below(8))
                                     : static_cast<std::byte>(random());
      }
  }
  return bytes;
}

}  // namespace bagel

// `statement` throws a bagel::Error whose kind and whole message are as given.
#define EXPECT_BAGEL_ERROR(statement, expected_kind, expected_text)    \
  try {                                                                \
    static_cast<void>(statement);                                      \
    ADD_FAILURE() << "no error from " #statement;                      \
  } catch (const ::bagel::Error& thrown) {                             \
    EXPECT_EQ(thrown.kind(), expected_kind);                           \
    EXPECT_EQ(std::string(thrown.what()), std::string(expected_text)); \
  }

#endif  // BAGEL_FORMATS_TEST_SUPPORT_H_
