#include "vision/onnx_objects.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "formats/quote.h"
#include "vision/coco_labels.h"
#include "vision/letterbox.h"
#include "vision/onnx_network.h"

namespace bagel::vision {
namespace {

constexpr int kStrides[] = {8, 16, 32};
constexpr size_t kMaxCandidates = 3000;
constexpr size_t kMaxObjects = 300;
constexpr float kMaxOverlap = 0.45F;

int CellsOf(cv::Size input) {
  int cells = 0;
  for (const int stride : kStrides) {
    cells += (input.width / stride) * (input.height / stride);
  }
  return cells;
}

float OverlapOf(const cv::Rect2f& a, const cv::Rect2f& b) {
  const float common = (a & b).area();
  return common / (a.area() + b.area() - common);
}

// Of the boxes of a class that overlap, the best; `candidates` are sorted.
std::vector<Object> Suppress(const std::vector<Object>& candidates) {
  std::vector<Object> kept;
  for (const Object& candidate : candidates) {
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](const Object& object) {
      return object.class_id == candidate.class_id &&
             OverlapOf(object.box, candidate.box) > kMaxOverlap;
    });
    if (!covered && kept.size() < kMaxObjects) {
      kept.push_back(candidate);
    }
  }
  return kept;
}

// `box` is center and size.
void AddCandidate(const cv::Vec4d& box, float score, int class_id, int classes, cv::Size input,
                  std::vector<Object>& candidates) {
  const double limit = 4.0 * std::max(input.width, input.height);
  // False also for what is not a number.
  const bool sensible = score >= kMinObjectScore && std::abs(box[0]) <= limit &&
                        std::abs(box[1]) <= limit && box[2] > 0 && box[2] <= limit && box[3] > 0 &&
                        box[3] <= limit;
  if (sensible) {
    candidates.push_back({ClassLabel(class_id, classes), class_id, std::min(score, 1.0F),
                          cv::Rect2d(box[0] - box[2] / 2, box[1] - box[3] / 2, box[2], box[3])});
  }
}

void ReadYolov8(const cv::Mat& output, cv::Size input, std::vector<Object>& candidates) {
  const int classes = output.size[1] - 4;
  const int cells = output.size[2];
  const cv::Mat rows(output.size[1], cells, CV_32F, output.data);
  for (int cell = 0; cell < cells; ++cell) {
    int best = 0;
    for (int id = 1; id < classes; ++id) {
      if (rows.at<float>(4 + id, cell) > rows.at<float>(4 + best, cell)) {
        best = id;
      }
    }
    const cv::Vec4d box(rows.at<float>(0, cell), rows.at<float>(1, cell), rows.at<float>(2, cell),
                        rows.at<float>(3, cell));
    AddCandidate(box, rows.at<float>(4 + best, cell), best, classes, input, candidates);
  }
}

void ReadYolox(const cv::Mat& output, cv::Size input, std::vector<Object>& candidates) {
  const int classes = output.size[2] - 5;
  const auto* row = output.ptr<float>();
  for (const int stride : kStrides) {
    for (int y = 0; y < input.height / stride; ++y) {
      for (int x = 0; x < input.width / stride; ++x, row += 5 + classes) {
        const float* best = std::max_element(row + 5, row + 5 + classes);
        const cv::Vec4d box((x + double{row[0]}) * stride, (y + double{row[1]}) * stride,
                            std::exp(double{row[2]}) * stride, std::exp(double{row[3]}) * stride);
        AddCandidate(box, row[4] * *best, static_cast<int>(best - row - 5), classes, input,
                     candidates);
      }
    }
  }
}

class OnnxObjects : public ObjectFinder {
 public:
  explicit OnnxObjects(const std::string& file) : network_(file) {
    // Another network is told here and not when the first picture comes.
    Outputs(cv::Mat(network_.input(), CV_8UC3, cv::Scalar::all(114)), YoloLayout::kYolov8);
  }

  std::vector<Object> Find(const cv::Mat& bgr) override {
    const bool yolox = layout_ == YoloLayout::kYolox;
    const Letterbox letterbox(bgr, network_.input(),
                              yolox ? Letterbox::Place::kTopLeft : Letterbox::Place::kMiddle);
    std::vector<Object> objects =
        DecodeYolo(Outputs(letterbox.picture(), layout_), network_.input());
    for (Object& object : objects) {
      object.box = letterbox.ToSource(object.box);
    }
    std::erase_if(objects, [](const Object& object) { return object.box.empty(); });
    return objects;
  }

  std::string Name() const override {
    return "onnx " + std::filesystem::path(network_.file()).filename().string();
  }

 private:
  cv::Mat Outputs(const cv::Mat& picture, YoloLayout layout) {
    const bool yolox = layout == YoloLayout::kYolox;
    const std::vector<cv::Mat> outputs = network_.Run(picture, yolox ? 1 : 1 / 255.0, !yolox);
    try {
      if (outputs.size() != 1) {
        throw Error(ErrorKind::kUnsupported,
                    "the network has " + std::to_string(outputs.size()) + " outputs and not one");
      }
      layout_ = LayoutOf(outputs[0], network_.input());
    } catch (const Error& error) {
      throw Error(error.kind(), Quote(network_.file()) + ": " + error.what());
    }
    return outputs[0];
  }

  OnnxNetwork network_;
  YoloLayout layout_ = YoloLayout::kYolov8;
};

}  // namespace

YoloLayout LayoutOf(const cv::Mat& output, cv::Size input) {
  const int cells = CellsOf(input);
  if (output.dims == 3 && output.size[0] == 1 && output.type() == CV_32F && output.isContinuous()) {
    const int rows = output.size[1];
    const int columns = output.size[2];
    if (columns == cells && rows > 4 && rows <= 4 + kMaxNetworkClasses) {
      return YoloLayout::kYolov8;
    }
    if (rows == cells && columns > 5 && columns <= 5 + kMaxNetworkClasses) {
      return YoloLayout::kYolox;
    }
  }
  std::string shape;
  for (int i = 0; i < output.dims; ++i) {
    shape += (i == 0 ? "" : ", ") + std::to_string(output.size[i]);
  }
  throw Error(ErrorKind::kUnsupported, "the network's output [" + shape +
                                           "] is neither that of a YOLOv8 nor that of a YOLOX");
}

std::vector<Object> DecodeYolo(const cv::Mat& output, cv::Size input) {
  std::vector<Object> candidates;
  if (LayoutOf(output, input) == YoloLayout::kYolov8) {
    ReadYolov8(output, input, candidates);
  } else {
    ReadYolox(output, input, candidates);
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Object& a, const Object& b) { return a.score > b.score; });
  if (candidates.size() > kMaxCandidates) {
    candidates.resize(kMaxCandidates);
  }
  return Suppress(candidates);
}

std::unique_ptr<ObjectFinder> MakeOnnxObjects(const std::string& file) {
  return std::make_unique<OnnxObjects>(file);
}

}  // namespace bagel::vision
