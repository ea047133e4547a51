#include "engine/recipe.h"

#include <charconv>
#include <system_error>

#include "base/error.h"
#include "formats/json.h"

namespace bagel {
namespace {

constexpr const char* kPromptKey = "Prompt";
constexpr const char* kSeedKey = "Seed";
constexpr const char* kSettingsKey = "Settings";

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

PictureRecipe ReadRecipe(const PictureTexts& texts, const std::string& where) {
  PictureRecipe recipe;
  std::string seed, settings;
  for (const auto& [key, value] : texts) {
    if (key == kPromptKey) recipe.prompt = value;
    if (key == kSeedKey) seed = value;
    if (key == kSettingsKey) settings = value;
  }
  const auto [end, error] = std::from_chars(seed.data(), seed.data() + seed.size(), recipe.seed);
  if (settings.empty() || error != std::errc() || end != seed.data() + seed.size())
    throw Error(ErrorKind::kInvalidArgument, where + " does not say how it was made");
  const Json json = ParseJson(settings, where);
  const JsonObject object(json, where);
  recipe.negative = object.String("negative", "");
  recipe.size = {static_cast<int>(object.Int("width", 1, 65535)),
                 static_cast<int>(object.Int("height", 1, 65535))};
  FlowSettings& flow = recipe.flow;
  flow.steps = static_cast<int>(object.Int("steps", 0, 65535));
  flow.shift = object.Double("timestep_shift", 0, 1000);
  flow.text_scale = object.Double("cfg_text", 0, 1000);
  flow.image_scale = object.Double("cfg_img", 0, 1000);
  flow.interval_low = object.Double("cfg_interval_low", 0, 1);
  flow.interval_high = object.Double("cfg_interval_high", 0, 1);
  flow.renorm = RenormFromName(object.String("cfg_renorm"));
  flow.renorm_min = object.Double("cfg_renorm_min", 0, 1);
  flow.taylorseer = object.Bool("taylorseer", false);
  CheckFlowSettings(flow);
  recipe.think = object.Bool("think", false);
  recipe.model = object.String("model", "");
  return recipe;
}

}  // namespace bagel
