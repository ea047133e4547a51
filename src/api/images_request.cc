#include "api/images_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "api/go_text.h"
#include "base/error.h"
#include "formats/base64.h"
#include "http/multipart.h"

namespace bagel::api {
namespace {

constexpr int kMaxCount = 10;
constexpr int kMaxPartialImages = 3;
constexpr int kMaxSide = 1 << 20;

constexpr std::array<std::pair<const char*, PictureFormat>, 3> kFormats = {
    {{"png", PictureFormat::kPng}, {"jpeg", PictureFormat::kJpeg}, {"webp", PictureFormat::kWebp}}};

[[noreturn]] void Fail(const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, message);
}

// "1024x768"; "auto" and "" leave the choice to the model.
void ReadSize(const std::string& text, PictureFields& picture) {
  if (text.empty() || text == "auto") {
    return;
  }
  int width = 0, height = 0;
  const char* const end = text.data() + text.size();
  const auto [cross, error] = std::from_chars(text.data(), end, width);
  const bool has_cross = error == std::errc() && cross != end && *cross == 'x';
  const auto [rest, error2] =
      has_cross ? std::from_chars(cross + 1, end, height) : std::from_chars_result{cross, error};
  if (!has_cross || error2 != std::errc() || rest != end || width < 1 || height < 1 ||
      std::max(width, height) > kMaxSide) {
    Fail("size is " + QuoteName(text) + ", expected WIDTHxHEIGHT or auto");
  }
  picture.width = width;
  picture.height = height;
}

PictureFormat ReadFormat(const std::string& text) {
  for (const auto& [name, format] : kFormats) {
    if (text == name) {
      return format;
    }
  }
  Fail("output_format is " + QuoteName(text) + ", expected png, jpeg or webp");
}

bool ReadAsUrl(const std::string& text) {
  if (text != "url" && text != "b64_json" && !text.empty()) {
    Fail("response_format is " + QuoteName(text) + ", expected b64_json or url");
  }
  return text == "url";
}

void AddImage(ImagesRequest& request, std::vector<std::byte> file, std::size_t max_images) {
  if (request.images.size() == max_images) {
    throw Error(ErrorKind::kTooLarge,
                "more than " + std::to_string(max_images) + " pictures in one request");
  }
  request.images.push_back(std::move(file));
}

// Base64, a data URL, {"image_url": ...}, or a list of those.
void AddImages(ImagesRequest& request, const WireValue& value, std::size_t max_images) {
  if (const auto* list = value.As<WireArray>()) {
    for (const WireValue& item : *list) {
      if (item.As<WireArray>() != nullptr) {
        Fail("invalid image: a list of pictures in a list of pictures");
      }
      AddImages(request, item, max_images);
    }
    return;
  }
  const WireValue* source = &value;
  if (const auto* object = value.As<WireObject>()) {
    const auto member = std::find_if(object->begin(), object->end(),
                                     [](const WireMember& m) { return m.name == "image_url"; });
    if (member == object->end()) {
      Fail("invalid image: only image_url with a data URL is taken");
    }
    source = &member->value;
  }
  const auto* text = source->As<std::string>();
  if (text == nullptr) {
    Fail(std::string("invalid image: expected base64 or a data URL, found ") + WireKind(*source));
  }
  if (text->starts_with("http://") || text->starts_with("https://")) {
    Fail("image URLs are not currently supported, please use base64 encoded data instead");
  }
  AddImage(request, DecodeBase64(StripDataUrl(*text)), max_images);
}

void ReadField(ImagesRequest& request, const std::string& name, const WireValue& value) {
  if (name == "model") {
    request.model = ReadString(name, value);
  } else if (name == "prompt") {
    request.prompt = ReadString(name, value);
  } else if (name == "n") {
    request.count = static_cast<int>(ReadInt(name, value, 1, kMaxCount));
  } else if (name == "size") {
    ReadSize(ReadString(name, value), request.picture);
  } else if (name == "output_format") {
    request.format = ReadFormat(ReadString(name, value));
  } else if (name == "output_compression") {
    request.quality = static_cast<int>(ReadInt(name, value, 0, 100));
  } else if (name == "response_format") {
    request.as_url = ReadAsUrl(ReadString(name, value));
  } else if (name == "stream") {
    request.stream = ReadBool(name, value);
  } else if (name == "partial_images") {
    request.partial_images = static_cast<int>(ReadInt(name, value, 0, kMaxPartialImages));
  } else if (name == "mask") {
    throw Error(ErrorKind::kUnsupported, "mask: edits of a part of a picture are not supported");
  } else {
    ReadPictureField(name, value, request.picture);
  }
}

bool IsImageField(std::string_view name) {
  return name == "image" || name == "images" || name == "image[]";
}

void ReadForm(ImagesRequest& request, std::string_view content_type, std::string_view body,
              std::size_t max_images) {
  for (const http::FormPart& part : http::ReadMultipart(content_type, body)) {
    if (IsImageField(part.name)) {
      const auto* bytes = reinterpret_cast<const std::byte*>(part.data.data());
      AddImage(request, {bytes, bytes + part.data.size()}, max_images);
    } else {
      ReadField(request, part.name, {std::string(part.data)});
    }
  }
}

void ReadJsonBody(ImagesRequest& request, std::string_view body, std::size_t max_images) {
  const WireValue json = ReadWireJson(body);
  const auto* object = json.As<WireObject>();
  if (object == nullptr) {
    Fail(std::string("the request is a JSON ") + WireKind(json) + ", expected an object");
  }
  for (const auto& [name, value] : *object) {
    if (value.is_null()) {
      continue;
    }
    if (IsImageField(name)) {
      AddImages(request, value, max_images);
    } else {
      ReadField(request, name, value);
    }
  }
}

}  // namespace

const char* PictureFormatName(PictureFormat format) {
  return kFormats[static_cast<std::size_t>(format)].first;
}

ImagesRequest ReadImagesRequest(std::string_view content_type, std::string_view body, bool edit,
                                std::size_t max_images) {
  ImagesRequest request;
  if (http::IsMultipart(content_type)) {
    ReadForm(request, content_type, body, max_images);
  } else {
    ReadJsonBody(request, body, max_images);
  }
  if (request.prompt.empty()) {
    Fail("prompt is required");
  }
  if (edit && request.images.empty()) {
    Fail("image is required");
  }
  if (!edit && !request.images.empty()) {
    Fail("image: pictures to change go to /v1/images/edits");
  }
  return request;
}

}  // namespace bagel::api
