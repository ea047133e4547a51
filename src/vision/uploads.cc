#include "vision/uploads.h"

#include <algorithm>
#include <cctype>
#include <opencv2/imgproc.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "formats/base64.h"
#include "formats/picture.h"
#include "http/multipart.h"

namespace bagel::vision {
namespace {

constexpr int kSmallestSide = 16;

cv::Mat Decoded(std::span<const std::byte> bytes) {
  PictureLimits limits;
  limits.max_bytes = size_t{32} << 20;
  limits.max_side = 8192;
  limits.max_pixels = kMostUploadPixels;
  Picture picture = DecodePicture(bytes, limits);
  if (picture.width < kSmallestSide || picture.height < kSmallestSide) {
    throw Error(ErrorKind::kInvalidArgument, "invalid image: " + std::to_string(picture.width) +
                                                 "x" + std::to_string(picture.height) +
                                                 " is smaller than 16x16");
  }
  const cv::Mat rgb(picture.height, picture.width, CV_8UC3, picture.rgb.data());
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  return bgr;
}

std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// JSON is told by its first character, since many clients do not name the type of what they send.
bool LooksLikeJson(std::string_view body) {
  const auto first = std::find_if_not(body.begin(), body.end(),
                                      [](unsigned char c) { return std::isspace(c) != 0; });
  return first != body.end() && *first == '{';
}

}  // namespace

cv::Mat UploadedPicture(const http::HttpRequest& request) {
  if (request.body.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "the request has no body; it must be a picture");
  }
  if (http::IsMultipart(request.content_type)) {
    const auto parts = http::ReadMultipart(request.content_type, request.body);
    const auto image = std::find_if(parts.begin(), parts.end(),
                                    [](const auto& part) { return part.name == "image"; });
    if (image == parts.end()) {
      throw Error(ErrorKind::kInvalidArgument, "the form has no part named image");
    }
    return Decoded(BytesOf(image->data));
  }
  if (LooksLikeJson(request.body)) {
    const Json json = UploadedObject(request);
    const std::string image = JsonObject(json, "request").String("image");
    return Decoded(DecodeBase64(StripDataUrl(image)));
  }
  return Decoded(BytesOf(request.body));
}

Json UploadedObject(const http::HttpRequest& request) {
  if (request.body.empty()) {
    return Json::object();
  }
  try {
    Json json = ParseJson(request.body, "request", {.max_depth = 8});
    static_cast<void>(JsonObject(json, "request"));
    return json;
  } catch (const Error& error) {
    // Whatever is wrong with a request is its sender's mistake.
    throw Error(
        error.kind() == ErrorKind::kTooLarge ? ErrorKind::kTooLarge : ErrorKind::kInvalidArgument,
        error.what());
  }
}

}  // namespace bagel::vision
