// What clients say about a picture to draw, under the names that Ollama, OpenAI and this server
// have for it.
#ifndef BAGEL_API_PICTURE_FIELDS_H_
#define BAGEL_API_PICTURE_FIELDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/wire_json.h"
#include "engine/request.h"

namespace bagel::api {

struct PictureFields {
  std::optional<int> width, height, steps;
  std::optional<int64_t> seed;  // <= 0 = random
  std::optional<std::string> negative;
  std::optional<double> shift, text_scale, image_scale, renorm_min;
  std::optional<std::pair<double, double>> interval;
  std::optional<Renorm> renorm;
  std::optional<bool> taylorseer;

  // Whether something there can only be meant for a picture to draw.
  bool WantsPicture() const { return width || height || steps; }
};

// Reads one setting; false for a name that is none of
//   width, height, steps | num_inference_steps, seed, negative_prompt | negative,
//   cfg_text_scale | guidance_scale, cfg_img_scale, cfg_interval [low, high], timestep_shift,
//   cfg_renorm, cfg_renorm_min, taylorseer.
// Null counts as absent. A number or a flag may come as a string, as it does in a form. Throws
// kInvalidArgument naming the field and what was found.
bool ReadPictureField(std::string_view name, const WireValue& value, PictureFields& fields);

// The numbers and flags that ReadPictureField reads, for fields of other names.
int64_t ReadInt(std::string_view name, const WireValue& value, int64_t low, int64_t high);
bool ReadBool(std::string_view name, const WireValue& value);
const std::string& ReadString(std::string_view name, const WireValue& value);

// The request for `parts`: the defaults are those of an edit where there is a picture among them.
// Of a size of which one side alone is given the other is `usual`'s.
PictureRequest MakePictureRequest(const PictureFields& fields, std::vector<Part> parts,
                                  PictureSize usual);

}  // namespace bagel::api

#endif  // BAGEL_API_PICTURE_FIELDS_H_
