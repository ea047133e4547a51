#include "vision/yunet.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/dnn.hpp>

#include "base/error.h"
#include "formats/quote.h"
#include "vision/letterbox.h"
#include "vision/onnx_network.h"

namespace bagel::vision {
namespace {

constexpr float kMaxOverlap = 0.3F;

// The outputs of one stride: two scores and four numbers a box, by cells.
struct Scale {
  std::array<const float*, 2> scores{};
  const float* boxes = nullptr;
};

[[noreturn]] void ThrowNotYunet() {
  throw Error(ErrorKind::kCorrupt, "the network's outputs are not those of YuNet");
}

Scale FindScale(const std::vector<cv::Mat>& outputs, int cells) {
  Scale scale;
  size_t scores = 0;
  for (const cv::Mat& output : outputs) {
    if (output.dims < 2 || output.type() != CV_32F || !output.isContinuous() ||
        output.size[output.dims - 2] != cells) {
      continue;
    }
    const int columns = output.size[output.dims - 1];
    if (output.total() != static_cast<size_t>(cells) * static_cast<size_t>(columns)) {
      continue;
    }
    if (columns == 1 && scores < scale.scores.size()) {
      scale.scores[scores++] = output.ptr<float>();
    } else if (columns == 4) {
      scale.boxes = output.ptr<float>();
    }
  }
  if (scores < scale.scores.size() || scale.boxes == nullptr) {
    ThrowNotYunet();
  }
  return scale;
}

class YunetFinder : public FaceFinder {
 public:
  YunetFinder(const std::string& file, float min_score) : network_(file), min_score_(min_score) {
    const cv::Size input = network_.input();
    if (input.width % 32 != 0 || input.height % 32 != 0) {
      throw Error(ErrorKind::kCorrupt, Quote(file) + " takes a picture of " +
                                           std::to_string(input.width) + "x" +
                                           std::to_string(input.height) + ", which is not YuNet's");
    }
    // Another network is told here and not when the first face is looked for.
    Find(cv::Mat(input, CV_8UC3, cv::Scalar::all(114)));
  }

  std::vector<Face> Find(const cv::Mat& bgr) override {
    const Letterbox letterbox(bgr, network_.input(), Letterbox::Place::kTopLeft);
    std::vector<cv::Mat> outputs = network_.Run(letterbox.picture(), 1, false);
    std::vector<Face> faces;
    try {
      faces = DecodeYunet(outputs, network_.input(), min_score_);
    } catch (const Error& error) {
      throw Error(error.kind(), Quote(network_.file()) + ": " + error.what());
    }
    for (Face& face : faces) {
      face.box = cv::Rect(letterbox.ToSource(face.box)) & cv::Rect({}, bgr.size());
    }
    std::erase_if(faces, [](const Face& face) { return face.box.empty(); });
    return faces;
  }

 private:
  OnnxNetwork network_;
  const float min_score_;
};

}  // namespace

std::vector<Face> DecodeYunet(const std::vector<cv::Mat>& outputs, cv::Size input,
                              float min_score) {
  std::vector<cv::Rect> boxes;
  std::vector<float> scores;
  for (const int stride : {8, 16, 32}) {
    const int columns = input.width / stride;
    const int cells = columns * (input.height / stride);
    const Scale scale = FindScale(outputs, cells);
    for (int cell = 0; cell < cells; ++cell) {
      const float score = std::sqrt(std::clamp(scale.scores[0][cell], 0.0F, 1.0F) *
                                    std::clamp(scale.scores[1][cell], 0.0F, 1.0F));
      const float* box = scale.boxes + 4 * static_cast<ptrdiff_t>(cell);
      const int row = cell / columns, column = cell % columns;
      const double x = (column + double{box[0]}) * stride;
      const double y = (row + double{box[1]}) * stride;
      const double width = std::exp(double{box[2]}) * stride;
      const double height = std::exp(double{box[3]}) * stride;
      // False also for what is not a number.
      const bool sensible = score >= min_score && std::abs(x) <= 2.0 * input.width &&
                            std::abs(y) <= 2.0 * input.height && width <= 2.0 * input.width &&
                            height <= 2.0 * input.height;
      if (sensible) {
        boxes.emplace_back(cv::Rect2d(x - width / 2, y - height / 2, width, height));
        scores.push_back(score);
      }
    }
  }
  std::vector<int> kept;
  cv::dnn::NMSBoxes(boxes, scores, min_score, kMaxOverlap, kept);
  std::vector<Face> faces;
  for (const int i : kept) {
    faces.push_back({boxes[static_cast<size_t>(i)], scores[static_cast<size_t>(i)]});
  }
  return faces;
}

std::unique_ptr<FaceFinder> MakeYunet(const std::string& file, float min_score) {
  return std::make_unique<YunetFinder>(file, min_score);
}

}  // namespace bagel::vision
