// The body of POST /v1/images/generations and /v1/images/edits, as JSON or as a form.
#ifndef BAGEL_API_IMAGES_REQUEST_H_
#define BAGEL_API_IMAGES_REQUEST_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/picture_fields.h"

namespace bagel::api {

enum class PictureFormat { kPng, kJpeg, kWebp };
// "png", "jpeg", "webp".
const char* PictureFormatName(PictureFormat format);

struct ImagesRequest {
  std::optional<std::string> model;
  std::string prompt;
  std::vector<std::vector<std::byte>> images;  // files
  int count = 1;                               // "n"
  PictureFormat format = PictureFormat::kPng;  // "output_format"
  int quality = 100;                           // "output_compression", for JPEG and WebP
  bool as_url = false;                         // "response_format": a data URL instead of base64
  bool stream = false;
  int partial_images = 0;
  PictureFields picture;
};

// Unknown fields and nulls are ignored. Pictures come in the fields image, image[] and images, in
// JSON as base64 or data URLs. Throws kInvalidArgument naming field and value; for a body without a
// prompt, and, where `edit`, without a picture; for a size that is neither WxH nor "auto"; and for
// remote URLs. kTooLarge for more than `max_images` pictures, kUnsupported for a mask.
ImagesRequest ReadImagesRequest(std::string_view content_type, std::string_view body, bool edit,
                                std::size_t max_images);

}  // namespace bagel::api

#endif  // BAGEL_API_IMAGES_REQUEST_H_
