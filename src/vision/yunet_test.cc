#include "vision/yunet.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "vision/toy_networks.h"

namespace bagel::vision {
namespace {

// What a YuNet with a 64x64 input gives where it sees no face.
std::vector<cv::Mat> NoFaces() {
  std::vector<cv::Mat> outputs;
  for (const int columns : {1, 1, 4, 10}) {
    for (const int cells : {64, 16, 4}) {
      const int shape[] = {1, cells, columns};
      outputs.emplace_back(3, shape, CV_32F, cv::Scalar(0));
    }
  }
  return outputs;
}

// Outputs of stride 8: cls, obj and the box of one cell.
void SetCell(std::vector<cv::Mat>& outputs, int cell, float cls, float obj, const cv::Vec4f& box) {
  outputs[0].ptr<float>()[cell] = cls;
  outputs[3].ptr<float>()[cell] = obj;
  for (int i = 0; i < 4; ++i) {
    outputs[6].ptr<float>()[4 * cell + i] = box[i];
  }
}

TEST(DecodeYunet, PutsTheBoxAroundItsCell) {
  std::vector<cv::Mat> outputs = NoFaces();
  const float twice = std::log(2.0F);
  SetCell(outputs, 8 * 3 + 4, 0.9F, 0.4F, {0.5F, 0.25F, twice, 2 * twice});
  const std::vector<Face> faces = DecodeYunet(outputs, {64, 64}, 0.5F);
  ASSERT_EQ(faces.size(), 1U);
  EXPECT_FLOAT_EQ(faces[0].score, 0.6F);
  EXPECT_EQ(faces[0].box, cv::Rect(36 - 8, 26 - 16, 16, 32));
}

TEST(DecodeYunet, UsesAllStrides) {
  std::vector<cv::Mat> outputs = NoFaces();
  // Stride 32, the last of four cells.
  outputs[2].ptr<float>()[3] = 1;
  outputs[5].ptr<float>()[3] = 1;
  const std::vector<Face> faces = DecodeYunet(outputs, {64, 64}, 0.5F);
  ASSERT_EQ(faces.size(), 1U);
  EXPECT_EQ(faces[0].box, cv::Rect(16, 16, 32, 32));
}

TEST(DecodeYunet, ClampsScoresAndJoinsOverlaps) {
  std::vector<cv::Mat> outputs = NoFaces();
  const float size = std::log(4.0F);
  SetCell(outputs, 8 * 3 + 3, 7, 1.5F, {0, 0, size, size});
  SetCell(outputs, 8 * 3 + 4, 0.9F, 0.9F, {-0.9F, 0, size, size});
  SetCell(outputs, 8 * 5 + 5, -1, 1, {0, 0, size, size});
  const std::vector<Face> faces = DecodeYunet(outputs, {64, 64}, 0.5F);
  ASSERT_EQ(faces.size(), 1U);
  EXPECT_EQ(faces[0].score, 1);
}

TEST(DecodeYunet, LeavesOutWhatIsNoNumber) {
  constexpr float kNoNumber = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<cv::Mat> outputs = NoFaces();
  SetCell(outputs, 0, kNoNumber, 1, {0, 0, 0, 0});
  SetCell(outputs, 1, 1, 1, {kNoNumber, 0, 0, 0});
  SetCell(outputs, 2, 1, 1, {0, kInfinity, 0, 0});
  SetCell(outputs, 3, 1, 1, {0, 0, kInfinity, 0});
  SetCell(outputs, 4, 1, 1, {0, 0, 0, 1e30F});
  EXPECT_TRUE(DecodeYunet(outputs, {64, 64}, 0.5F).empty());
}

TEST(DecodeYunet, RefusesOtherShapes) {
  EXPECT_THROW(DecodeYunet({}, {64, 64}, 0.5F), Error);
  for (size_t missing = 0; missing < 9; ++missing) {
    std::vector<cv::Mat> outputs = NoFaces();
    outputs[missing] = cv::Mat();
    EXPECT_THROW(DecodeYunet(outputs, {64, 64}, 0.5F), Error) << missing;
  }
  EXPECT_THROW(DecodeYunet(NoFaces(), {96, 96}, 0.5F), Error);
}

TEST(Yunet, FindsFacesThroughAnOnnxFile) {
  const std::string file = testing::TempDir() + "toy_yunet.onnx";
  ToyYunet(64).Write(file);
  const auto finder = MakeFaceFinder("yunet:" + file);
  cv::Mat picture(64, 128, CV_8UC3, cv::Scalar::all(0));
  EXPECT_TRUE(finder->Find(picture).empty());
  picture(cv::Rect(32, 16, 16, 16)) = cv::Scalar(255, 0, 0);
  picture(cv::Rect(0, 0, 16, 16)) = cv::Scalar(0, 0, 255);  // red is no face
  const std::vector<Face> faces = finder->Find(picture);
  ASSERT_EQ(faces.size(), 1U);
  EXPECT_NEAR(faces[0].score, 1, 1e-3);
  EXPECT_EQ(faces[0].box, cv::Rect(32, 16, 16, 16));
  std::filesystem::remove(file);
}

TEST(Yunet, RefusesAnotherNetwork) {
  const std::string file = testing::TempDir() + "no_yunet.onnx";
  for (const OnnxWriter& network : {ToyYolov8(64), ToyYolox(64), ToyYunet(64)}) {
    network.Write(file);
    if (network.Bytes() == ToyYunet(64).Bytes()) {
      std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
    }
    EXPECT_THROW(MakeFaceFinder("yunet:" + file), Error);
  }
  OnnxWriter(-1, -1).Write(file);
  EXPECT_THROW(MakeFaceFinder("yunet:" + file), Error);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace bagel::vision
