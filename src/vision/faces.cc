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

constexpr const char* kFolder = "/usr/share/opencv4/haarcascades/";
constexpr const char* kFirstCascade = "haarcascade_frontalface_default.xml";
// Asked only where the first sees nobody: the first is the one that everybody knows. In 71
// photographs without a face, enlarged to 1280x720, the first sees faces in four, this one in none.
constexpr const char* kSecondCascade = "haarcascade_frontalface_alt2.xml";

// The search takes time by the pixel, so a picture is scaled down until the smallest face has this
// many pixels. The first cascade's window has 24, but it finds faces of that size too seldom; the
// second's has 20.
constexpr int kFirstFacePixels = 36;
constexpr int kSecondFacePixels = 20;
// But a small picture is not scaled below, and a huge one is never searched above:
constexpr int kLeastSide = 512;
constexpr int kDetectionSide = 1152;

void CheckFile(const std::string& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    throw Error(ErrorKind::kNotFound, "the face detector's file " + Quote(file) + " is not there");
  }
}

cv::CascadeClassifier LoadCascade(const std::string& file) {
  CheckFile(file);
  cv::CascadeClassifier cascade;
  try {
    cascade.load(file);
  } catch (const cv::Exception&) {
    // An empty cascade says the same.
  }
  if (cascade.empty()) {
    throw Error(ErrorKind::kCorrupt, Quote(file) + " is no cascade of OpenCV");
  }
  return cascade;
}

// 255 where a rough search of `picture` (8 bits, grey) sees something like a face at least `least`
// pixels wide, else 0; empty if it sees nothing. OpenCV moves windows of less than twice the
// cascade's own by two pixels and larger ones by one, so the larger are looked for on pictures
// halved again and again: at a quarter of the places. One hit there is enough, where a face is
// several that agree.
cv::Mat SearchRoughly(cv::CascadeClassifier& cascade, const cv::Mat& picture, double scale,
                      int least) {
  const int window = cascade.getOriginalWindowSize().width;
  const int most = 2 * window - 1;
  cv::Mat mask;
  cv::Mat level = picture;
  for (int times = 1; std::min(level.cols, level.rows) >= window; times *= 2) {
    std::vector<cv::Rect> hits;
    const int from = std::max(window, least / times);
    if (from <= most) {
      cascade.detectMultiScale(level, hits, scale, 0, 0, {from, from}, {most, most});
    }
    for (const cv::Rect& hit : hits) {
      const int margin = hit.width / 2;
      const cv::Rect around(times * (hit.x - margin), times * (hit.y - margin),
                            times * 2 * hit.width, times * 2 * hit.height);
      if (mask.empty()) mask = cv::Mat::zeros(picture.size(), CV_8U);
      mask(around & cv::Rect({}, picture.size())) = 255;
    }
    cv::Mat half;
    cv::resize(level, half, {}, 0.5, 0.5, cv::INTER_AREA);
    level = half;
  }
  return mask;
}

class HaarFinder : public FaceFinder {
 public:
  // Without a file the first and the second cascade.
  HaarFinder(const std::string& file, const FaceOptions& options) : options_(options) {
    if (!file.empty()) {
      searches_.push_back({LoadCascade(file), kFirstFacePixels});
      return;
    }
    searches_.push_back({LoadCascade(std::string(kFolder) + kFirstCascade), kFirstFacePixels});
    searches_.push_back({LoadCascade(std::string(kFolder) + kSecondCascade), kSecondFacePixels});
  }

  std::vector<Face> Find(const cv::Mat& bgr) override {
    cv::Mat grey;
    cv::cvtColor(bgr, grey, cv::COLOR_BGR2GRAY);
    const std::lock_guard lock(mutex_);
    std::vector<Face> faces;
    for (size_t i = 0; i < searches_.size() && faces.empty(); ++i) {
      faces = FindWith(searches_[i], grey);
    }
    return faces;
  }

 private:
  struct Search {
    cv::CascadeClassifier cascade;
    int smallest_face;  // pixels in the picture that is searched
  };

  std::vector<Face> FindWith(Search& search, const cv::Mat& grey) const {
    const double side = std::max(grey.cols, grey.rows);
    const double wanted =
        std::max(double(search.smallest_face) / options_.min_size, kLeastSide / side);
    const double shrink = std::min({1.0, wanted, kDetectionSide / side});
    cv::Mat small = grey;
    if (shrink < 1) {
      const cv::Size size(std::max(1, static_cast<int>(grey.cols * shrink)),
                          std::max(1, static_cast<int>(grey.rows * shrink)));
      cv::resize(grey, small, size, 0, 0, cv::INTER_AREA);
    }
    const int least = static_cast<int>(std::lround(options_.min_size * shrink));
    const cv::Mat mask = SearchRoughly(search.cascade, small, options_.scale, least);
    if (mask.empty()) return {};
    // The close search passes over what is black.
    cv::Mat candidates;
    small.copyTo(candidates, mask);
    std::vector<cv::Rect> boxes;
    std::vector<int> agreeing;
    search.cascade.detectMultiScale(candidates, boxes, agreeing, options_.scale,
                                    options_.neighbours, 0, {least, least});
    std::vector<Face> faces;
    for (size_t i = 0; i < boxes.size(); ++i) {
      // One that reaches into the black was made by its edge.
      if (cv::countNonZero(mask(boxes[i])) < boxes[i].area()) continue;
      const cv::Rect2d box(cv::Point2d(boxes[i].tl()) / shrink,
                           cv::Size2d(boxes[i].size()) / shrink);
      const cv::Rect inside = cv::Rect(box) & cv::Rect({}, grey.size());
      if (!inside.empty()) {
        faces.push_back({inside, static_cast<float>(agreeing[i])});
      }
    }
    return faces;
  }

  const FaceOptions options_;
  std::mutex mutex_;
  std::vector<Search> searches_;  // guarded by mutex_
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
  const std::string file = colon == std::string::npos ? "" : spec.substr(colon + 1);
  if (spec != "haar" && ((kind != "haar" && kind != "yunet") || file.empty())) {
    throw Error(ErrorKind::kInvalidArgument,
                "the face detector " + Quote(spec) + " is none of haar, haar:FILE and yunet:FILE");
  }
  std::unique_ptr<FaceFinder> finder;
  if (kind == "haar") {
    finder = std::make_unique<HaarFinder>(file, options);
  } else {
    CheckFile(file);
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
