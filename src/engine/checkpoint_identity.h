// Which checkpoint it is, and since when.
#ifndef BAGEL_ENGINE_CHECKPOINT_IDENTITY_H_
#define BAGEL_ENGINE_CHECKPOINT_IDENTITY_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "formats/safetensors.h"

namespace bagel {

// 64 hex digits: 256 bits of FNV-1a with four seeds over the files' names, sizes and times, an
// identity, not a proof.
std::string CheckpointDigest(const SafetensorsFolder& checkpoint);

// When the file was last written.
int64_t ModifiedUnixNanoseconds(const std::filesystem::path& path);

}  // namespace bagel

#endif  // BAGEL_ENGINE_CHECKPOINT_IDENTITY_H_
