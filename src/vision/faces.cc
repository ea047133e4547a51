#include "vision/faces.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <mutex>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "base/error.h"
#include "formats/quote.h"
#include "vision/yunet.h"

namespace bagel::vision {
namespace {

constexpr const char* kCascade =
    "/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml";

// A larger picture is scaled down before the search, which takes time by the pixel.
constexpr int kDetectionSide = 1920;

class HaarFinder : public FaceFinder {
 public:
  HaarFinder(const std::string& file, const FaceOptions& options) : options_(options) {
    try {
      cascade_.load(file);
    } catch (const cv::Exception&) {
      // An empty cascade says the same.
    }
    if (cascade_.empty()) {
      throw Error(ErrorKind::kCorrupt, Quote(file) + " is no cascade of OpenCV");
    }
  }

  std::vector<Face> Find(const cv::Mat& bgr) override {
    const double shrink = std::min(1.0, double{kDetectionSide} / std::max(bgr.cols, bgr.rows));
    cv::Mat grey;
    cv::cvtColor(bgr, grey, cv::COLOR_BGR2GRAY);
    if (shrink < 1) {
      const cv::Size smaller(std::max(1, static_cast<int>(bgr.cols * shrink)),
                             std::max(1, static_cast<int>(bgr.rows * shrink)));
      cv::resize(grey, grey, smaller, 0, 0, cv::INTER_AREA);
    }
    std::vector<cv::Rect> boxes;
    std::vector<int> agreeing;
    {
      const std::lock_guard lock(mutex_);
      cascade_.detectMultiScale(grey, boxes, agreeing, options_.scale, options_.neighbours, 0,
                                {options_.min_size, options_.min_size});
    }
    std::vector<Face> faces;
    for (size_t i = 0; i < boxes.size(); ++i) {
      const cv::Rect2d box(cv::Point2d(boxes[i].tl()) / shrink,
                           cv::Size2d(boxes[i].size()) / shrink);
      const cv::Rect inside = cv::Rect(box) & cv::Rect({}, bgr.size());
      if (!inside.empty()) {
        faces.push_back({inside, static_cast<float>(agreeing[i])});
      }
    }
    return faces;
  }

 private:
  const FaceOptions options_;
  std::mutex mutex_;
  cv::CascadeClassifier cascade_;  // guarded by mutex_
};

// Puts the largest face first.
class SortedFinder : public FaceFinder {
 public:
  explicit SortedFinder(std::unique_ptr<FaceFinder> finder) : finder_(std::move(finder)) {}

  std::vector<Face> Find(const cv::Mat& bgr) override {
    std::vector<Face> faces = finder_->Find(bgr);
    std::stable_sort(faces.begin(), faces.end(),
                     [](const Face& a, const Face& b) { return a.box.area() > b.box.area(); });
    return faces;
  }

 private:
  std::unique_ptr<FaceFinder> finder_;
};

double FromMiddle(const cv::Rect& box, cv::Size frame) {
  return std::hypot(box.x + box.width / 2.0 - frame.width / 2.0,
                    box.y + box.height / 2.0 - frame.height / 2.0);
}

void CheckFile(const std::string& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    throw Error(ErrorKind::kNotFound, "the face detector's file " + Quote(file) + " is not there");
  }
}

}  // namespace

std::unique_ptr<FaceFinder> MakeFaceFinder(const std::string& spec, const FaceOptions& options) {
  if (!(options.scale > 1 && options.scale <= 2) || options.neighbours < 0 ||
      options.min_size < 1) {
    throw Error(ErrorKind::kInvalidArgument,
                "a search for faces with scale " + std::to_string(options.scale) + ", " +
                    std::to_string(options.neighbours) + " neighbours and faces from " +
                    std::to_string(options.min_size) +
                    " pixels is not possible: the scale is above 1 and at most 2");
  }
  const size_t colon = spec.find(':');
  const std::string kind = spec.substr(0, colon);
  std::string file = colon == std::string::npos ? "" : spec.substr(colon + 1);
  if (spec == "haar") {
    file = kCascade;
  }
  if ((kind != "haar" && kind != "yunet") || file.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "the face detector " + Quote(spec) + " is none of haar, haar:FILE and yunet:FILE");
  }
  CheckFile(file);
  std::unique_ptr<FaceFinder> finder;
  if (kind == "haar") {
    finder = std::make_unique<HaarFinder>(file, options);
  } else {
    finder = MakeYunet(file, options.min_score);
  }
  return std::make_unique<SortedFinder>(std::move(finder));
}

std::optional<Face> MainFace(const std::vector<Face>& faces, cv::Size frame) {
  const auto main =
      std::max_element(faces.begin(), faces.end(), [frame](const Face& a, const Face& b) {
        const int difference = a.box.area() - b.box.area();
        return difference == 0 ? FromMiddle(a.box, frame) > FromMiddle(b.box, frame)
                               : difference < 0;
      });
  return main == faces.end() ? std::nullopt : std::optional<Face>(*main);
}

cv::Rect FaceCrop(const cv::Rect& face, cv::Size frame, double padding) {
  CHECK(padding >= 0);
  const cv::Rect whole({}, frame);
  if (face.empty() || (face & whole).empty()) {
    return {};
  }
  const int across =
      static_cast<int>(std::min(padding * face.width, static_cast<double>(frame.width)));
  const int down =
      static_cast<int>(std::min(padding * face.height, static_cast<double>(frame.height)));
  const int left = std::max(0, face.x - across);
  const int top = std::max(0, face.y - down);
  return {left, top, std::min(frame.width, face.br().x + across) - left,
          std::min(frame.height, face.br().y + down) - top};
}

}  // namespace bagel::vision
