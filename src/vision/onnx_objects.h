// YOLO detectors as ONNX files, on this processor.
#ifndef BAGEL_VISION_ONNX_OBJECTS_H_
#define BAGEL_VISION_ONNX_OBJECTS_H_

#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "vision/objects.h"

namespace bagel::vision {

// Throws Error as OnnxNetwork does, and kUnsupported for outputs of neither shape below.
std::unique_ptr<ObjectFinder> MakeOnnxObjects(const std::string& file);

enum class YoloLayout {
  kYolov8,  // [1, 4 + classes, cells]: center and size in pixels of the input, one score a class
  kYolox,   // [1, cells, 5 + classes]: as raw numbers of its cell, one score for being an object
};

// By the shape of the output for an input of this size, which has a cell every 8, 16 and 32 pixels.
// Throws kUnsupported.
YoloLayout LayoutOf(const cv::Mat& output, cv::Size input);

// The boxes (in pixels of the input) with a score from kMinObjectScore, best first; of those of one
// class that overlap by more than 0.45, the best. At most 300. The layouts are those of the exports
// of Ultralytics' YOLOv8 and of Megvii's YOLOX (Ge et al., "YOLOX", 2021): there center =
// (cell + t) stride, size = exp(t) stride, score = object score times class score.
std::vector<Object> DecodeYolo(const cv::Mat& output, cv::Size input);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_ONNX_OBJECTS_H_
