// The model's dimensions, read from the checkpoint folder.
#ifndef BAGEL_MODEL_CONFIG_H_
#define BAGEL_MODEL_CONFIG_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "image/sizes.h"

namespace bagel {

struct LlmConfig {
  int64_t hidden = 3584;
  int64_t intermediate = 18944;
  int64_t layers = 28;
  int64_t heads = 28;
  int64_t kv_heads = 4;
  int64_t head_dim = 128;
  int64_t vocabulary = 152064;
  int64_t max_positions = 32768;
  float rms_eps = 1e-6f;
  float rope_theta = 1e6f;
};

struct VitConfig {
  int64_t hidden = 1152;
  int64_t intermediate = 4304;
  int64_t layers = 26;  // those that run: one fewer than vit_config.json says
  int64_t heads = 16;
  int64_t patch = 14;
  int64_t max_patches_per_side = 70;
  float norm_eps = 1e-6f;
};

struct LatentConfig {
  int64_t patch = 2;
  int64_t max_size = 64;  // latent tokens a side
  int64_t channels = 16;
};

struct BagelConfig {
  std::string name;
  LlmConfig llm;
  VitConfig vit;
  LatentConfig latent;
  SizeLimits vae_image = kVaeSizeLimits;
  SizeLimits vit_image = kVitSizeLimits;

  // Rows of the largest picture block for the vision encoder, with its two markers.
  int64_t MaxImageRows() const;
};

// Reads llm_config.json, vit_config.json and, where there is one, bagel.json. config.json is not
// read: as published it is not JSON. Throws Error naming file, key, expected and found.
BagelConfig LoadBagelConfig(const std::filesystem::path& folder);

// The published model by its name, "bagel-7b-mot"; or a folder, as LoadBagelConfig reads it; or one
// JSON file with the keys "llm_config", "vit_config" and, where needed, "bagel", each holding what
// the file of that name holds. Throws as LoadBagelConfig does.
BagelConfig FindShape(const std::string& shape);

// Writes the three files so that LoadBagelConfig gives the same configuration back.
void SaveBagelConfig(const BagelConfig& config, const std::filesystem::path& folder);

}  // namespace bagel

#endif  // BAGEL_MODEL_CONFIG_H_
