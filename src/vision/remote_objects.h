// The object detector of another machine's sophia.
#ifndef BAGEL_VISION_REMOTE_OBJECTS_H_
#define BAGEL_VISION_REMOTE_OBJECTS_H_

#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "vision/objects.h"

namespace bagel::vision {

// Asks POST `url`/detect; the key of $SOPHIA_OBJECTS_KEY, if set, goes along. Throws
// kInvalidArgument for a URL that is none.
std::unique_ptr<ObjectFinder> MakeRemoteObjects(const std::string& url);

// The answer of POST /detect for a picture of this size:
//   {"detector": "hailo ...", "width": 1280, "height": 720, "objects": [{"label": "person",
//    "class_id": 0, "score": 0.93, "box": [x, y, width, height]}]}
std::string ObjectsToJson(const std::vector<Object>& objects, const std::string& detector,
                          cv::Size picture);

// Reads it back; the boxes are clamped to the picture. Throws kCorrupt for anything else, also for
// an answer about a picture of another size and for more than 1000 objects.
std::vector<Object> ObjectsFromJson(const std::string& json, cv::Size picture);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_REMOTE_OBJECTS_H_
