#include "model/config.h"

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "formats/json.h"

namespace bagel {
namespace {

constexpr int64_t kMaxSize = int64_t{1} << 20;  // no dimension of a real model is larger

[[noreturn]] void FailConfig(const JsonObject& json, const std::string& what) {
  throw Error(ErrorKind::kInvalidArgument, json.where() + ": " + what);
}

void ReadLlm(const JsonObject& json, LlmConfig& llm) {
  llm.hidden = json.Int("hidden_size", 2, kMaxSize);
  llm.intermediate = json.Int("intermediate_size", 1, kMaxSize);
  llm.gen_intermediate = llm.intermediate;
  llm.layers = json.Int("num_hidden_layers", 1, 1024);
  llm.heads = json.Int("num_attention_heads", 1, 1024);
  llm.kv_heads = json.Int("num_key_value_heads", 1, llm.heads);
  llm.vocabulary = json.Int("vocab_size", 1, 1 << 24);
  llm.max_positions = json.Int("max_position_embeddings", 1, 1 << 24, llm.max_positions);
  llm.rms_eps = static_cast<float>(json.Double("rms_norm_eps", 0, 1, llm.rms_eps));
  llm.rope_theta = static_cast<float>(json.Double("rope_theta", 1, 1e12, llm.rope_theta));
  if (llm.hidden % (2 * llm.heads) != 0)
    FailConfig(json, "hidden_size " + std::to_string(llm.hidden) + " is not an even multiple of " +
                         std::to_string(llm.heads) + " attention heads");
  if (llm.heads % llm.kv_heads != 0)
    FailConfig(json, "num_attention_heads " + std::to_string(llm.heads) +
                         " is not a multiple of num_key_value_heads " +
                         std::to_string(llm.kv_heads));
  llm.head_dim = llm.hidden / llm.heads;
}

void ReadVit(const JsonObject& json, VitConfig& vit) {
  vit.hidden = json.Int("hidden_size", 1, kMaxSize);
  vit.intermediate = json.Int("intermediate_size", 1, kMaxSize);
  vit.layers = json.Int("num_hidden_layers", 2, 1024) - 1;
  vit.heads = json.Int("num_attention_heads", 1, 1024);
  vit.patch = json.Int("patch_size", 1, 256);
  if (vit.hidden % vit.heads != 0)
    FailConfig(json, "hidden_size " + std::to_string(vit.hidden) + " is not a multiple of " +
                         std::to_string(vit.heads) + " attention heads");
}

void ReadSizeLimits(const JsonObject& json, SizeLimits& limits) {
  limits.max_side = static_cast<int>(json.Int("max", 1, 65536, limits.max_side));
  limits.min_side = static_cast<int>(json.Int("min", 1, 65536, limits.min_side));
  limits.max_pixels = json.Int("max_pixels", 1, int64_t{1} << 32, limits.max_pixels);
  CheckSizeLimits(limits, json.where().c_str());
}

void ReadPictureSize(const JsonObject& json, PictureSize& size) {
  size.width = static_cast<int>(json.Int("width", 1, 65536));
  size.height = static_cast<int>(json.Int("height", 1, 65536));
}

void ReadVae(const JsonObject& json, BagelConfig& config) {
  VaeConfig& vae = config.vae;
  config.latent.channels = json.Int("z_channels", 1, 1024, config.latent.channels);
  vae.channels = json.Int("ch", vae.groups, 4096, vae.channels);
  vae.blocks = json.Int("num_res_blocks", 1, 16, vae.blocks);
  if (json.Has("ch_mult")) vae.multipliers = json.IntList("ch_mult", 1, 64, 8);
  vae.scale = static_cast<float>(json.Double("scale_factor", 1e-6, 1e6, vae.scale));
  vae.shift = static_cast<float>(json.Double("shift_factor", -1e6, 1e6, vae.shift));
  if (vae.multipliers.empty() || vae.channels % vae.groups != 0)
    FailConfig(json, "ch_mult is empty or ch " + std::to_string(vae.channels) +
                         " is not a multiple of " + std::to_string(vae.groups));
  const int64_t downsample = json.Int("downsample", 1, 256, vae.Downsample());
  if (downsample != vae.Downsample())
    FailConfig(json, "downsample " + std::to_string(downsample) + " is not the " +
                         std::to_string(vae.Downsample()) + " of " +
                         std::to_string(vae.multipliers.size()) + " levels in ch_mult");
}

void ReadBagel(const JsonObject& json, BagelConfig& config) {
  config.name = json.String("name", config.name);
  config.vit.max_patches_per_side =
      json.Int("vit_max_num_patch_per_side", 1, 4096, config.vit.max_patches_per_side);
  config.latent.max_size = json.Int("max_latent_size", 1, 4096, config.latent.max_size);
  config.latent.patch = json.Int("latent_patch_size", 1, 16, config.latent.patch);
  config.llm.gen_intermediate =
      json.Int("gen_intermediate", 1, kMaxSize, config.llm.gen_intermediate);
  if (json.Has("picture")) ReadPictureSize(json.Object("picture"), config.picture);
  if (json.Has("vae")) ReadVae(json.Object("vae"), config);
  if (json.Has("vae_image")) ReadSizeLimits(json.Object("vae_image"), config.vae_image);
  if (json.Has("vit_image")) ReadSizeLimits(json.Object("vit_image"), config.vit_image);
}

void WriteJson(const std::filesystem::path& path, const Json& json) {
  std::ofstream file(path);
  file << json.dump(2) << '\n';
  file.close();
  if (!file) throw Error(ErrorKind::kUnavailable, path.string() + ": cannot be written");
}

}  // namespace

int64_t BagelConfig::MaxImageRows() const {
  const int64_t side =
      std::min<int64_t>(vit.max_patches_per_side, vit_image.max_side / vit_image.stride);
  return side * side + 2;
}

BagelConfig LoadBagelConfig(const std::filesystem::path& folder) {
  BagelConfig config;
  if (!std::filesystem::is_directory(folder))
    throw Error(ErrorKind::kNotFound, folder.string() + ": no such model folder");
  std::filesystem::path named = folder.lexically_normal();
  if (!named.has_filename()) named = named.parent_path();
  config.name = named.filename().string();
  const auto read = [&](const char* name, const auto& reader, auto& target) {
    const std::string path = (folder / name).string();
    const Json json = ReadJsonFile(path);
    reader(JsonObject(json, path), target);
  };
  read("llm_config.json", ReadLlm, config.llm);
  read("vit_config.json", ReadVit, config.vit);
  config.vit_image.stride = static_cast<int>(config.vit.patch);
  if (std::filesystem::exists(folder / "bagel.json")) read("bagel.json", ReadBagel, config);
  return config;
}

BagelConfig FindShape(const std::string& shape) {
  constexpr const char* kPublished = "bagel-7b-mot";
  if (shape == kPublished) {
    BagelConfig config;
    config.name = kPublished;
    return config;
  }
  if (std::filesystem::is_directory(shape)) return LoadBagelConfig(shape);
  if (!std::filesystem::exists(shape))
    throw Error(ErrorKind::kNotFound,
                "shape '" + shape + "' is neither " + kPublished + " nor a file or folder");
  const Json json = ReadJsonFile(shape);
  const JsonObject object(json, shape);
  BagelConfig config;
  config.name = std::filesystem::path(shape).stem().string();
  ReadLlm(object.Object("llm_config"), config.llm);
  ReadVit(object.Object("vit_config"), config.vit);
  config.vit_image.stride = static_cast<int>(config.vit.patch);
  if (object.Has("bagel")) ReadBagel(object.Object("bagel"), config);
  return config;
}

void SaveBagelConfig(const BagelConfig& config, const std::filesystem::path& folder) {
  const LlmConfig& llm = config.llm;
  WriteJson(folder / "llm_config.json", {{"hidden_size", llm.hidden},
                                         {"intermediate_size", llm.intermediate},
                                         {"num_hidden_layers", llm.layers},
                                         {"num_attention_heads", llm.heads},
                                         {"num_key_value_heads", llm.kv_heads},
                                         {"vocab_size", llm.vocabulary},
                                         {"max_position_embeddings", llm.max_positions},
                                         {"rms_norm_eps", llm.rms_eps},
                                         {"rope_theta", llm.rope_theta}});
  const VitConfig& vit = config.vit;
  WriteJson(folder / "vit_config.json", {{"hidden_size", vit.hidden},
                                         {"intermediate_size", vit.intermediate},
                                         {"num_hidden_layers", vit.layers + 1},
                                         {"num_attention_heads", vit.heads},
                                         {"patch_size", vit.patch}});
  const auto limits = [](const SizeLimits& l) {
    return Json{{"max", l.max_side}, {"min", l.min_side}, {"max_pixels", l.max_pixels}};
  };
  WriteJson(folder / "bagel.json",
            {{"name", config.name},
             {"vit_max_num_patch_per_side", vit.max_patches_per_side},
             {"max_latent_size", config.latent.max_size},
             {"latent_patch_size", config.latent.patch},
             {"gen_intermediate", llm.gen_intermediate},
             {"picture", {{"width", config.picture.width}, {"height", config.picture.height}}},
             {"vae",
              {{"z_channels", config.latent.channels},
               {"ch", config.vae.channels},
               {"ch_mult", config.vae.multipliers},
               {"num_res_blocks", config.vae.blocks},
               {"scale_factor", config.vae.scale},
               {"shift_factor", config.vae.shift}}},
             {"vae_image", limits(config.vae_image)},
             {"vit_image", limits(config.vit_image)}});
}

}  // namespace bagel
