// What clients send: pictures in one of three forms, and small JSON objects.
#ifndef BAGEL_VISION_UPLOADS_H_
#define BAGEL_VISION_UPLOADS_H_

#include <cstdint>
#include <opencv2/core.hpp>

#include "formats/json.h"
#include "http/http_message.h"

namespace bagel::vision {

inline constexpr int64_t kMostUploadPixels = 16'000'000;

// The picture in a request's body: the bytes of a PNG, JPEG or WebP file; a form (multipart/
// form-data) with one in its part `image`; or JSON with one in base64 under `image`, also as a data
// URL. Throws Error: kInvalidArgument or kCorrupt for what is no picture, kTooLarge past a limit.
cv::Mat UploadedPicture(const http::HttpRequest& request);

// The JSON object in a request's body; an empty body is an empty object. Throws kInvalidArgument.
Json UploadedObject(const http::HttpRequest& request);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_UPLOADS_H_
