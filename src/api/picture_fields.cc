#include "api/picture_fields.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "api/go_text.h"
#include "base/error.h"

namespace bagel::api {
namespace {

constexpr int64_t kMostInt = std::numeric_limits<int>::max();

std::string Found(const WireValue& value) {
  if (const auto* number = value.As<WireNumber>()) {
    return number->literal.substr(0, 40);
  }
  const auto* text = value.As<std::string>();
  return text != nullptr ? QuoteName(*text) : WireKind(value);
}

[[noreturn]] void FailField(std::string_view name, const WireValue& value,
                            const std::string& expected) {
  throw Error(ErrorKind::kInvalidArgument,
              std::string(name) + " is " + Found(value) + ", expected " + expected);
}

// A number as such or as a string.
std::optional<WireNumber> NumberIn(const WireValue& value) {
  if (const auto* number = value.As<WireNumber>()) {
    return *number;
  }
  const auto* text = value.As<std::string>();
  return text != nullptr ? std::optional(WireNumber{*text}) : std::nullopt;
}

double ReadDouble(std::string_view name, const WireValue& value) {
  const std::optional<WireNumber> number = NumberIn(value);
  const std::optional<double> amount = number ? ToDouble(*number) : std::nullopt;
  if (!amount || !std::isfinite(*amount)) {
    FailField(name, value, "a number");
  }
  return *amount;
}

// [low, high], or "low,high" as in a form.
std::pair<double, double> ReadInterval(std::string_view name, const WireValue& value) {
  if (const auto* list = value.As<WireArray>(); list != nullptr && list->size() == 2) {
    return {ReadDouble(name, (*list)[0]), ReadDouble(name, (*list)[1])};
  }
  const auto* text = value.As<std::string>();
  const std::size_t comma = text != nullptr ? text->find(',') : std::string::npos;
  if (comma == std::string::npos) {
    FailField(name, value, "two numbers");
  }
  return {ReadDouble(name, {text->substr(0, comma)}), ReadDouble(name, {text->substr(comma + 1)})};
}

template <class Value>
struct NamedField {
  std::string_view name;
  std::optional<Value> PictureFields::*member;
};

constexpr std::array<NamedField<int>, 4> kWholeFields = {
    {{"width", &PictureFields::width},
     {"height", &PictureFields::height},
     {"steps", &PictureFields::steps},
     {"num_inference_steps", &PictureFields::steps}}};

constexpr std::array<NamedField<double>, 5> kNumberFields = {
    {{"cfg_text_scale", &PictureFields::text_scale},
     {"guidance_scale", &PictureFields::text_scale},
     {"cfg_img_scale", &PictureFields::image_scale},
     {"timestep_shift", &PictureFields::shift},
     {"cfg_renorm_min", &PictureFields::renorm_min}}};

// The member of that name; null = there is none.
template <class Value, std::size_t count>
std::optional<Value> PictureFields::*FindField(const std::array<NamedField<Value>, count>& fields,
                                               std::string_view name) {
  for (const NamedField<Value>& field : fields) {
    if (field.name == name) return field.member;
  }
  return nullptr;
}

}  // namespace

int64_t ReadInt(std::string_view name, const WireValue& value, int64_t low, int64_t high) {
  const std::optional<WireNumber> number = NumberIn(value);
  const std::optional<int64_t> whole = number ? ToInt(*number) : std::nullopt;
  if (!whole) {
    FailField(name, value, "a whole number");
  }
  if (*whole < low || *whole > high) {
    FailField(name, value,
              "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return *whole;
}

bool ReadBool(std::string_view name, const WireValue& value) {
  const auto* text = value.As<std::string>();
  if (text != nullptr && (*text == "true" || *text == "false")) {
    return *text == "true";
  }
  const bool* flag = value.As<bool>();
  if (flag == nullptr) {
    FailField(name, value, "true or false");
  }
  return *flag;
}

const std::string& ReadString(std::string_view name, const WireValue& value) {
  const auto* text = value.As<std::string>();
  if (text == nullptr) {
    FailField(name, value, "a text");
  }
  return *text;
}

bool ReadPictureField(std::string_view name, const WireValue& value, PictureFields& fields) {
  if (value.is_null()) {
    return false;
  }
  if (name == "seed") {
    constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
    fields.seed = ReadInt(name, value, -kMost, kMost);
  } else if (name == "negative_prompt" || name == "negative") {
    fields.negative = ReadString(name, value);
  } else if (name == "cfg_interval") {
    fields.interval = ReadInterval(name, value);
  } else if (name == "cfg_renorm") {
    fields.renorm = RenormFromName(ReadString(name, value));
  } else if (name == "taylorseer") {
    fields.taylorseer = ReadBool(name, value);
  } else if (const auto whole = FindField(kWholeFields, name)) {
    fields.*whole = static_cast<int>(ReadInt(name, value, -kMostInt, kMostInt));
  } else if (const auto number = FindField(kNumberFields, name)) {
    fields.*number = ReadDouble(name, value);
  } else {
    return false;
  }
  return true;
}

PictureRequest MakePictureRequest(const PictureFields& fields, std::vector<Part> parts,
                                  PictureSize usual) {
  PictureRequest request;
  const bool edit = std::any_of(parts.begin(), parts.end(), [](const Part& part) {
    return std::holds_alternative<Picture>(part);
  });
  request.parts = std::move(parts);
  request.flow = edit ? EditFlowSettings() : FlowSettings();
  FlowSettings& flow = request.flow;
  flow.steps = fields.steps.value_or(flow.steps);
  flow.shift = fields.shift.value_or(flow.shift);
  flow.text_scale = fields.text_scale.value_or(flow.text_scale);
  flow.image_scale = fields.image_scale.value_or(flow.image_scale);
  flow.renorm = fields.renorm.value_or(flow.renorm);
  flow.renorm_min = fields.renorm_min.value_or(flow.renorm_min);
  flow.taylorseer = fields.taylorseer.value_or(flow.taylorseer);
  if (fields.interval) {
    std::tie(flow.interval_low, flow.interval_high) = *fields.interval;
  }
  if (fields.width || fields.height) {
    request.size =
        PictureSize{fields.width.value_or(usual.width), fields.height.value_or(usual.height)};
  }
  if (fields.seed.value_or(0) > 0) {
    request.seed = static_cast<uint64_t>(*fields.seed);
  }
  request.negative = fields.negative.value_or("");
  return request;
}

}  // namespace bagel::api
