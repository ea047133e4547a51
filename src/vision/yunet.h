// The YuNet face detector as an ONNX file.
#ifndef BAGEL_VISION_YUNET_H_
#define BAGEL_VISION_YUNET_H_

#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "vision/faces.h"

namespace bagel::vision {

// Throws Error: kNotFound, kCorrupt for a file that is not YuNet.
std::unique_ptr<FaceFinder> MakeYunet(const std::string& file, float min_score);

// The faces that a YuNet says there are in its input. For each of the strides 8, 16 and 32 there
// is one row a cell of the input: "cls" and "obj" [rows, 1], "bbox" [rows, 4], "kps" [rows, 10], in
// any order, a leading 1 in every shape. In cell (column, row)
//   score = sqrt(clamp(cls) clamp(obj)), center = (column + b0, row + b1) stride,
//   size = (exp b2, exp b3) stride
// (its authors' decoder; cls and obj are exchangeable). Overlapping boxes are joined at 0.3.
// Throws kCorrupt for other shapes. The boxes may reach out of the input.
std::vector<Face> DecodeYunet(const std::vector<cv::Mat>& outputs, cv::Size input, float min_score);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_YUNET_H_
