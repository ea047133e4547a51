#include "vision/remote_objects.h"

#include <cmath>
#include <cstdlib>
#include <opencv2/imgcodecs.hpp>

#include "base/error.h"
#include "formats/json.h"
#include "formats/quote.h"
#include "vision/http_client.h"

namespace bagel::vision {
namespace {

constexpr int kJpegQuality = 90;
constexpr size_t kMaxObjects = 1000;
constexpr size_t kMaxAnswerBytes = size_t{1} << 20;
constexpr HttpLimitsOut kLimits = {.connect = std::chrono::milliseconds(2'000),
                                   .first_byte = std::chrono::milliseconds(10'000),
                                   .idle = std::chrono::milliseconds(5'000),
                                   .total = std::chrono::milliseconds(15'000),
                                   .answer_bytes = kMaxAnswerBytes};

Object ReadObject(const Json& json, cv::Size picture) {
  const JsonObject object(json, "an object of the answer");
  const auto box = object.json().find("box");
  if (box == object.json().end() || !box->is_array() || box->size() != 4) {
    throw Error(ErrorKind::kCorrupt, "an object of the answer has no box of four numbers");
  }
  double sides[4];
  for (size_t i = 0; i < 4; ++i) {
    if (!(*box)[i].is_number() || std::abs((*box)[i].get<double>()) > 1e6) {
      throw Error(ErrorKind::kCorrupt, "an object of the answer has no box of four numbers");
    }
    sides[i] = (*box)[i].get<double>();
  }
  const cv::Rect2d inside = cv::Rect2d(sides[0], sides[1], sides[2], sides[3]) &
                            cv::Rect2d(0, 0, picture.width, picture.height);
  return {object.String("label"), static_cast<int>(object.Int("class_id", 0, INT32_MAX)),
          static_cast<float>(object.Double("score", 0, 1)), inside};
}

std::vector<Object> ReadAnswer(const std::string& text, cv::Size picture) {
  const Json json = ParseJson(text, "answer", {.max_bytes = kMaxAnswerBytes, .max_depth = 8});
  const JsonObject answer(json, "answer");
  if (answer.Int("width", 0, INT32_MAX) != picture.width ||
      answer.Int("height", 0, INT32_MAX) != picture.height) {
    throw Error(ErrorKind::kCorrupt, "the answer is about a picture of another size");
  }
  const auto list = json.find("objects");
  if (list == json.end() || !list->is_array() || list->size() > kMaxObjects) {
    throw Error(ErrorKind::kCorrupt,
                "the answer has no list of at most " + std::to_string(kMaxObjects) + " objects");
  }
  std::vector<Object> objects;
  for (const Json& object : *list) {
    objects.push_back(ReadObject(object, picture));
  }
  std::erase_if(objects, [](const Object& object) { return object.box.empty(); });
  return objects;
}

class RemoteObjects : public ObjectFinder {
 public:
  explicit RemoteObjects(const std::string& url) : url_(CheckedServerUrl(url)) {}

  std::vector<Object> Find(const cv::Mat& bgr) override {
    std::vector<uchar> jpeg;
    cv::imencode(".jpg", bgr, jpeg, {cv::IMWRITE_JPEG_QUALITY, kJpegQuality});
    HttpCall call{.method = "POST",
                  .url = url_ + "/detect",
                  .body = std::string(jpeg.begin(), jpeg.end()),
                  .content_type = "image/jpeg",
                  .headers = {},
                  .limits = kLimits};
    if (const char* key = std::getenv("SOPHIA_OBJECTS_KEY"); key != nullptr && *key != '\0') {
      call.headers.push_back(std::string("Authorization: Bearer ") + key);
    }
    const HttpAnswer answer = Send(call);
    if (answer.status != 200) {
      throw Error(ErrorKind::kUnavailable, ShownUrl(call.url) + " answers with status " +
                                               std::to_string(answer.status) + ": " +
                                               Quote(answer.body));
    }
    try {
      return ObjectsFromJson(answer.body, bgr.size());
    } catch (const Error& error) {
      throw Error(error.kind(), ShownUrl(call.url) + ": " + error.what());
    }
  }

  std::string Name() const override { return "hailo at " + ShownUrl(url_); }

 private:
  const std::string url_;
};

}  // namespace

std::string ObjectsToJson(const std::vector<Object>& objects, const std::string& detector,
                          cv::Size picture) {
  Json list = Json::array();
  for (const Object& object : objects) {
    list.push_back({{"label", object.label},
                    {"class_id", object.class_id},
                    {"score", object.score},
                    {"box", {object.box.x, object.box.y, object.box.width, object.box.height}}});
  }
  const Json answer = {{"detector", detector},
                       {"width", picture.width},
                       {"height", picture.height},
                       {"objects", std::move(list)}};
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<Object> ObjectsFromJson(const std::string& json, cv::Size picture) {
  try {
    return ReadAnswer(json, picture);
  } catch (const Error& error) {
    // JsonObject takes what is wrong for a mistake of the caller's.
    throw Error(error.kind() == ErrorKind::kInvalidArgument ? ErrorKind::kCorrupt : error.kind(),
                error.what());
  }
}

std::unique_ptr<ObjectFinder> MakeRemoteObjects(const std::string& url) {
  return std::make_unique<RemoteObjects>(url);
}

}  // namespace bagel::vision
