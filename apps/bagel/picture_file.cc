#include "picture_file.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "formats/json.h"
#include "formats/mapped_file.h"

namespace bagel {
namespace {

namespace fs = std::filesystem;

constexpr int kJpegQuality = 95;
constexpr int kWebpQuality = 95;
constexpr const char* kPromptKey = "Prompt";
constexpr const char* kSeedKey = "Seed";
constexpr const char* kSettingsKey = "Settings";

std::string Ending(const std::string& path) {
  std::string ending = fs::path(path).extension().string();
  for (char& c : ending) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return ending;
}

std::vector<std::byte> Encode(const std::string& path, const Picture& picture,
                              const PictureTexts& texts) {
  const std::string ending = Ending(path);
  if (ending == ".png") {
    return EncodePng(picture, texts);
  }
  return ending == ".webp" ? EncodeWebp(picture, kWebpQuality) : EncodeJpeg(picture, kJpegQuality);
}

}  // namespace

PictureTexts RecipeTexts(const PictureRecipe& recipe) {
  const FlowSettings& flow = recipe.flow;
  const nlohmann::ordered_json settings = {{"negative", recipe.negative},
                                           {"width", recipe.size.width},
                                           {"height", recipe.size.height},
                                           {"steps", flow.steps},
                                           {"timestep_shift", flow.shift},
                                           {"cfg_text", flow.text_scale},
                                           {"cfg_img", flow.image_scale},
                                           {"cfg_interval_low", flow.interval_low},
                                           {"cfg_interval_high", flow.interval_high},
                                           {"cfg_renorm", std::string(RenormName(flow.renorm))},
                                           {"cfg_renorm_min", flow.renorm_min},
                                           {"taylorseer", flow.taylorseer},
                                           {"think", recipe.think},
                                           {"model", recipe.model}};
  return {{kPromptKey, recipe.prompt},
          {kSeedKey, std::to_string(recipe.seed)},
          {kSettingsKey,
           settings.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)}};
}

PictureRecipe ReadRecipe(const std::string& path) {
  const MappedFile file(path);
  std::string prompt, seed, settings;
  for (const auto& [key, value] : ReadPngTexts(file.bytes())) {
    if (key == kPromptKey) prompt = value;
    if (key == kSeedKey) seed = value;
    if (key == kSettingsKey) settings = value;
  }
  PictureRecipe recipe;
  const auto [end, error] = std::from_chars(seed.data(), seed.data() + seed.size(), recipe.seed);
  if (settings.empty() || error != std::errc() || end != seed.data() + seed.size()) {
    throw Error(ErrorKind::kInvalidArgument, path + " does not say how it was made");
  }
  const Json json = ParseJson(settings, path);
  const JsonObject object(json, path);
  recipe.prompt = prompt;
  recipe.negative = object.String("negative", "");
  recipe.size = {static_cast<int>(object.Int("width", 1, 65535)),
                 static_cast<int>(object.Int("height", 1, 65535))};
  FlowSettings& flow = recipe.flow;
  flow.steps = static_cast<int>(object.Int("steps", 2, 1000));
  flow.shift = object.Double("timestep_shift", 0, 1000);
  flow.text_scale = object.Double("cfg_text", 0, 1000);
  flow.image_scale = object.Double("cfg_img", 0, 1000);
  flow.interval_low = object.Double("cfg_interval_low", 0, 1);
  flow.interval_high = object.Double("cfg_interval_high", 0, 1);
  flow.renorm = RenormFromName(object.String("cfg_renorm"));
  flow.renorm_min = object.Double("cfg_renorm_min", 0, 1);
  flow.taylorseer = object.Bool("taylorseer", false);
  recipe.think = object.Bool("think", false);
  return recipe;
}

void CheckPictureName(const std::string& path) {
  const std::string ending = Ending(path);
  if (ending != ".png" && ending != ".jpg" && ending != ".jpeg" && ending != ".webp") {
    throw Error(ErrorKind::kUnsupported,
                "the name " + path + " ends in none of .png, .jpg, .jpeg and .webp");
  }
}

void WritePicture(const std::string& path, const Picture& picture, const PictureTexts& texts,
                  bool force) {
  const std::vector<std::byte> bytes = Encode(path, picture, texts);
  const std::string part = path + ".part" + std::to_string(::getpid());
  std::ofstream file(part, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  std::error_code error;
  if (!file) {
    fs::remove(part, error);
    throw Error(ErrorKind::kUnavailable, path + ": cannot be written");
  }
  // A hard link is only made where there is no such name yet; not every file system has them.
  if (!force) {
    fs::create_hard_link(part, path, error);
  }
  if (force || (error && error != std::errc::file_exists && !fs::exists(path))) {
    fs::rename(part, path, error);
  }
  const std::error_code failure = error;
  fs::remove(part, error);
  if (failure == std::errc::file_exists) {
    throw Error(ErrorKind::kInvalidArgument, path + " exists; --force replaces it");
  }
  if (failure) {
    throw Error(ErrorKind::kUnavailable, path + ": " + failure.message());
  }
}

Picture ReadPictureFile(const std::string& path) {
  const MappedFile file(path);
  try {
    return DecodePicture(file.bytes());
  } catch (const Error& error) {
    throw Error(error.kind(), path + ": " + error.what());
  }
}

}  // namespace bagel
