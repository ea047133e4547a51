// A network in an ONNX file, run on this processor by OpenCV.
#ifndef BAGEL_VISION_ONNX_NETWORK_H_
#define BAGEL_VISION_ONNX_NETWORK_H_

#include <cstddef>
#include <mutex>
#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bagel::vision {

class OnnxNetwork {
 public:
  // Throws Error that names the file: kNotFound; kTooLarge past 512 MiB; kCorrupt for a file that
  // is no ONNX; kUnsupported if its input is not one picture [1, 3, height, width] of a fixed size
  // or OpenCV does not know an operation.
  explicit OnnxNetwork(const std::string& file);

  cv::Size input() const { return input_; }
  const std::string& file() const { return file_; }

  // `picture` has the input's size, 8 bits, three channels; they are given as floats from 0 to 255
  // times `scale`, in RGB if `rgb`. Throws kUnsupported when OpenCV fails. From any thread; one run
  // at a time.
  std::vector<cv::Mat> Run(const cv::Mat& picture, double scale, bool rgb);

 private:
  std::string file_;
  cv::Size input_;
  std::mutex mutex_;
  cv::dnn::Net net_;  // guarded by mutex_
  std::vector<std::string> outputs_;
};

// The size of the first input [1, 3, height, width] of an ONNX file (a ModelProto of
// https://onnx.ai/onnx/repo-docs/IR.html): none if it has no such input or its sides are not fixed
// numbers from 1 to 4096. OpenCV 4.6 reads that but does not tell it.
std::optional<cv::Size> OnnxInputSize(std::span<const std::byte> bytes);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_ONNX_NETWORK_H_
