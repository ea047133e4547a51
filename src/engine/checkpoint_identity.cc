#include "engine/checkpoint_identity.h"

#include <chrono>
#include <cstdio>

namespace bagel {

std::string CheckpointDigest(const SafetensorsFolder& checkpoint) {
  std::string text;
  for (const SafetensorsFile& file : checkpoint.files()) {
    const std::filesystem::path path = file.path();
    const auto time = std::filesystem::last_write_time(path).time_since_epoch().count();
    text += path.filename().string() + "\n" + std::to_string(std::filesystem::file_size(path)) +
            "\n" + std::to_string(time) + "\n";
  }
  std::string digest;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    uint64_t hash = 0xCBF29CE484222325u + seed;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
    char digits[17];
    std::snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(hash));
    digest += digits;
  }
  return digest;
}

int64_t ModifiedUnixNanoseconds(const std::filesystem::path& path) {
  const auto time =
      std::chrono::file_clock::to_sys(std::filesystem::last_write_time(path)).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

}  // namespace bagel
