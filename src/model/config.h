// The model's dimensions, read from the checkpoint folder.
#ifndef BAGEL_MODEL_CONFIG_H_
#define BAGEL_MODEL_CONFIG_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "image/sizes.h"

namespace bagel {

struct LlmConfig {
  int64_t hidden = 3584;
  int64_t intermediate = 18944;      // of the und expert's MLP
  int64_t gen_intermediate = 18944;  // of the gen expert's
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

  int64_t TokenSize() const { return patch * patch * channels; }
};

// The FLUX.1 autoencoder.
struct VaeConfig {
  int64_t channels = 128;                           // of the finest level
  std::vector<int64_t> multipliers = {1, 2, 4, 4};  // of the channels, by level; each halves a side
  int64_t blocks = 2;  // residual blocks of an encoder level; a decoder level has one more
  int64_t groups = 32;
  float norm_eps = 1e-6f;
  float scale = 0.3611f;
  float shift = 0.1159f;

  // Pixels of a picture's side for one latent pixel.
  int64_t Downsample() const { return int64_t{1} << (multipliers.size() - 1); }
};

struct BagelConfig {
  std::string name;
  LlmConfig llm;
  VitConfig vit;
  LatentConfig latent;
  VaeConfig vae;
  SizeLimits vae_image = kVaeSizeLimits;
  SizeLimits vit_image = kVitSizeLimits;
  PictureSize picture = {1024, 1024};  // that is drawn where a request names none

  // Rows of the largest picture block for the vision encoder, with its two markers.
  int64_t MaxImageRows() const;
  // Pixels of a picture's side for one latent token.
  int64_t TokenPixels() const { return latent.patch * vae.Downsample(); }
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
