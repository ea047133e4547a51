#include "api/ollama_request.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <limits>
#include <utility>

#include "api/api_error.h"
#include "api/go_text.h"
#include "formats/base64.h"

namespace bagel::api {
namespace {

constexpr std::size_t kMaxStops = 64;

[[noreturn]] void FailType(const WireValue& value, std::string_view field, const char* type) {
  throw Error(ErrorKind::kInvalidArgument, std::string("json: cannot unmarshal ") +
                                               WireKind(value) +
                                               " into Go struct field GenerateRequest." +
                                               std::string(field) + " of type " + type);
}

const std::string& StringOf(const WireValue& value, std::string_view field) {
  const auto* text = value.As<std::string>();
  if (text == nullptr) {
    FailType(value, field, "string");
  }
  return *text;
}

bool BoolOf(const WireValue& value, std::string_view field) {
  const bool* flag = value.As<bool>();
  if (flag == nullptr) {
    FailType(value, field, "bool");
  }
  return *flag;
}

void ReadImages(GenerateRequest& request, const WireValue& value, std::size_t max_images) {
  const auto* list = value.As<WireArray>();
  if (list == nullptr) {
    FailType(value, "images", "[]api.ImageData");
  }
  if (list->size() > max_images) {
    throw Error(ErrorKind::kTooLarge, "images: " + std::to_string(list->size()) +
                                          " pictures, at most " + std::to_string(max_images) +
                                          " are taken in one request");
  }
  request.images.clear();
  for (const WireValue& item : *list) {
    const auto* text = item.As<std::string>();
    if (text == nullptr && !item.is_null()) {
      FailType(item, "images", "api.ImageData");
    }
    request.images.push_back(text == nullptr ? std::vector<std::byte>()
                                             : DecodeBase64(StripDataUrl(*text)));
  }
}

void ReadThink(GenerateRequest& request, const WireValue& value) {
  constexpr std::array<std::string_view, 4> kLevels = {"low", "medium", "high", "max"};
  if (const bool* flag = value.As<bool>()) {
    request.think = *flag;
    return;
  }
  constexpr const char* kAllowed = R"(("high", "medium", "low", true, or false))";
  const auto* level = value.As<std::string>();
  if (level == nullptr) {
    throw Error(ErrorKind::kInvalidArgument,
                std::string("think must be a boolean or string ") + kAllowed);
  }
  if (std::find(kLevels.begin(), kLevels.end(), *level) == kLevels.end()) {
    throw Error(ErrorKind::kInvalidArgument, "invalid think value: " + QuoteName(*level) +
                                                 R"( (must be "high", "medium", "low", true, or )"
                                                 "false)");
  }
  request.think = true;
}

void ReadKeepAlive(GenerateRequest& request, const WireValue& value) {
  if (const auto* number = value.As<WireNumber>()) {
    request.unload = ToDouble(*number) == 0.0;
  } else if (const auto* text = value.As<std::string>()) {
    request.unload = IsZeroDuration(*text);
  } else {
    const std::string kind = WireKind(value);
    const std::string type = kind == "array"    ? "[]interface {}"
                             : kind == "object" ? "map[string]interface {}"
                                                : kind;
    throw Error(ErrorKind::kInvalidArgument, "Unsupported type: '" + type + "'");
  }
}

void CheckFormat(const WireValue& value) {
  const auto* text = value.As<std::string>();
  if (text != nullptr && text->empty()) {
    return;
  }
  if (value.As<WireObject>() != nullptr || (text != nullptr && *text == "json")) {
    throw Error(ErrorKind::kUnsupported, "format: constrained output is not supported");
  }
  throw Error(ErrorKind::kInvalidArgument,
              "invalid format: " + (text != nullptr ? QuoteName(*text) : WireKind(value)) +
                  R"(; expected "json" or a valid JSON Schema object)");
}

void CheckLogprobs(const WireValue& value, std::string_view field) {
  if (field == "logprobs") {
    if (BoolOf(value, field)) {
      throw Error(ErrorKind::kUnsupported, "logprobs: log probabilities are not supported");
    }
    return;
  }
  const auto* number = value.As<WireNumber>();
  if (number == nullptr) {
    FailType(value, field, "int");
  }
  const std::optional<int64_t> count = ToInt(*number);
  if (!count || *count < 0 || *count > 20) {
    throw Error(ErrorKind::kInvalidArgument, "top_logprobs must be between 0 and 20");
  }
}

void CheckContext(GenerateRequest& request, const WireValue& value) {
  const auto* ids = value.As<WireArray>();
  if (ids == nullptr) {
    FailType(value, "context", "[]int");
  }
  for (const WireValue& id : *ids) {
    if (id.As<WireNumber>() == nullptr && !id.is_null()) {
      FailType(id, "context", "int");
    }
  }
  request.has_context = !ids->empty();
}

void ReadField(GenerateRequest& request, const std::string& field, const WireValue& value,
               std::size_t max_images) {
  if (field == "model") {
    request.model = StringOf(value, field);
  } else if (field == "prompt") {
    request.prompt = StringOf(value, field);
  } else if (field == "system") {
    request.system = StringOf(value, field);
  } else if (field == "template") {
    request.has_template = !StringOf(value, field).empty();
  } else if (field == "suffix") {
    request.has_suffix = !StringOf(value, field).empty();
  } else if (field == "images") {
    ReadImages(request, value, max_images);
  } else if (field == "stream") {
    request.stream = BoolOf(value, field);
  } else if (field == "raw") {
    request.raw = BoolOf(value, field);
  } else if (field == "think") {
    ReadThink(request, value);
  } else if (field == "keep_alive") {
    ReadKeepAlive(request, value);
  } else if (field == "format") {
    CheckFormat(value);
  } else if (field == "logprobs" || field == "top_logprobs") {
    CheckLogprobs(value, field);
  } else if (field == "context") {
    CheckContext(request, value);
  } else if (field == "width" || field == "height" || field == "steps") {
    if (value.As<WireNumber>() == nullptr) {
      FailType(value, field, "int32");
    }
    ReadPictureField(field, value, request.picture);
  } else if (field == "options") {
    const auto* options = value.As<WireObject>();
    if (options == nullptr) {
      FailType(value, field, "map[string]interface {}");
    }
    request.options = *options;
  } else {
    ReadPictureField(field, value, request.picture);
  }
}

[[noreturn]] void FailOptionType(const std::string& name, const char* type) {
  throw ApiError(500, "option \"" + name + "\" must be of " + type);
}

template <class Whole>
Whole WholeOption(const std::string& name, const WireValue& value) {
  const auto* number = value.As<WireNumber>();
  if (number == nullptr) {
    FailOptionType(name, "type integer");
  }
  const std::optional<int64_t> whole = ToInt(*number);
  if (!whole || !std::in_range<Whole>(*whole)) {
    using Limits = std::numeric_limits<Whole>;
    throw Error(ErrorKind::kInvalidArgument,
                "option \"" + name + "\" is " + number->literal.substr(0, 40) +
                    ", expected a whole number from " + std::to_string(Limits::min()) + " to " +
                    std::to_string(Limits::max()));
  }
  return static_cast<Whole>(*whole);
}

float FloatOption(const std::string& name, const WireValue& value) {
  const auto* number = value.As<WireNumber>();
  if (number == nullptr) {
    FailOptionType(name, "type float32");
  }
  const std::optional<double> amount = ToDouble(*number);
  if (!amount || std::abs(*amount) > std::numeric_limits<float>::max()) {
    throw Error(ErrorKind::kInvalidArgument,
                "option \"" + name + "\" is out of range: " + number->literal.substr(0, 40));
  }
  return static_cast<float>(*amount);
}

// A list of strings; a lone string counts as a list of one. Empty ones would stop at once and are
// left out.
std::vector<std::string> StopOption(const WireValue& value) {
  std::vector<std::string> stops;
  if (const auto* text = value.As<std::string>()) {
    stops.push_back(*text);
  } else if (const auto* list = value.As<WireArray>()) {
    for (const WireValue& item : *list) {
      const auto* stop = item.As<std::string>();
      if (stop == nullptr) {
        FailOptionType("stop", "an array of strings");
      }
      stops.push_back(*stop);
    }
  } else {
    FailOptionType("stop", "type array");
  }
  std::erase(stops, std::string());
  if (stops.size() > kMaxStops) {
    throw Error(ErrorKind::kInvalidArgument, "option \"stop\" has " + std::to_string(stops.size()) +
                                                 " texts, at most " + std::to_string(kMaxStops) +
                                                 " are taken");
  }
  return stops;
}

void ApplyOption(GenerateRequest& request, const std::string& name, const WireValue& value) {
  struct FloatName {
    std::string_view name;
    float SamplingOptions::*member;
  };
  struct IntName {
    std::string_view name;
    int SamplingOptions::*member;
  };
  constexpr std::array<FloatName, 6> kFloats = {
      {{"temperature", &SamplingOptions::temperature},
       {"top_p", &SamplingOptions::top_p},
       {"min_p", &SamplingOptions::min_p},
       {"repeat_penalty", &SamplingOptions::repeat_penalty},
       {"presence_penalty", &SamplingOptions::presence_penalty},
       {"frequency_penalty", &SamplingOptions::frequency_penalty}}};
  constexpr std::array<IntName, 2> kInts = {
      {{"top_k", &SamplingOptions::top_k}, {"repeat_last_n", &SamplingOptions::repeat_last_n}}};
  for (const FloatName& option : kFloats) {
    if (option.name == name) {
      request.sampling.*option.member = FloatOption(name, value);
    }
  }
  for (const IntName& option : kInts) {
    if (option.name == name) {
      request.sampling.*option.member = WholeOption<int>(name, value);
    }
  }
  if (name == "seed") {
    const int64_t seed = WholeOption<int64_t>(name, value);
    request.seed = seed < 0 ? std::nullopt : std::optional(static_cast<uint64_t>(seed));
    request.picture.seed = seed;
  } else if (name == "num_predict") {
    const int limit = WholeOption<int>(name, value);
    request.num_predict = limit > 0 ? limit : -1;
  } else if (name == "stop") {
    request.stop = StopOption(value);
  } else {
    ReadPictureField(name, value, request.picture);
  }
}

}  // namespace

GenerateRequest ParseGenerateRequest(std::string_view body, std::size_t max_images) {
  const WireValue json = ReadWireJson(body);
  const auto* object = json.As<WireObject>();
  if (object == nullptr && !json.is_null()) {
    throw Error(ErrorKind::kInvalidArgument, std::string("json: cannot unmarshal ") +
                                                 WireKind(json) +
                                                 " into Go value of type api.GenerateRequest");
  }
  GenerateRequest request;
  if (object != nullptr) {
    for (const auto& [key, value] : *object) {
      if (!value.is_null()) {
        std::string field = key;
        std::transform(field.begin(), field.end(), field.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        ReadField(request, field, value, max_images);
      }
    }
  }
  return request;
}

void ApplyOptions(GenerateRequest& request) {
  for (const auto& [name, value] : request.options) {
    if (!value.is_null()) {
      ApplyOption(request, name, value);
    }
  }
}

}  // namespace bagel::api
