// What counts as blurred, on photographs of Debian's python3-skimage, which ./test.sh unpacks.
#include <gtest/gtest.h>

#include <cstdio>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>

#include "vision/frame_check.h"

namespace bagel::vision {
namespace {

constexpr const char* kPhotos =
    "build/packages/python3-skimage/usr/lib/python3/dist-packages/skimage/data/";

// As a camera gives it: 1280 columns.
cv::Mat Frame(const std::string& name) {
  cv::Mat photo = cv::imread(kPhotos + name, cv::IMREAD_COLOR);
  EXPECT_FALSE(photo.empty()) << kPhotos + name << " is missing: ./test.sh unpacks it";
  const double scale = 1280.0 / photo.cols;
  cv::resize(photo, photo, {}, scale, scale, scale < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
  return photo;
}

struct Photo {
  const char* name;
  bool scene;  // else nothing but texture, of which nobody can say how sharp it ought to be
};

class PhotoBlur : public testing::TestWithParam<Photo> {};

TEST_P(PhotoBlur, ALittleIsLetPassMuchIsNot) {
  const cv::Mat sharp = Frame(GetParam().name);
  std::printf("%-20s", GetParam().name);
  for (const double sigma : {0.0, 1.0, 2.0, 4.0, 6.0, 10.0}) {
    cv::Mat frame = sharp;
    if (sigma > 0) cv::GaussianBlur(sharp, frame, {}, sigma);
    const FrameStatistics statistics = MeasureFrame(frame);
    std::printf("  %g px: %.4f", sigma,
                statistics.sharpness / (statistics.deviation * statistics.deviation));
    if (sigma <= 2) {
      EXPECT_EQ(CheckFrame(frame), State::kOk) << sigma;
    } else if (GetParam().scene) {
      EXPECT_EQ(CheckFrame(frame), State::kBlurred) << sigma;
    }
  }
  std::printf("\n");
}

INSTANTIATE_TEST_SUITE_P(All, PhotoBlur,
                         testing::Values(Photo{"astronaut.png", true}, Photo{"camera.png", true},
                                         Photo{"chelsea.png", true}, Photo{"coffee.png", true},
                                         Photo{"coins.png", true},
                                         Photo{"motorcycle_left.png", true},
                                         Photo{"rocket.jpg", true}, Photo{"brick.png", false},
                                         Photo{"grass.png", false}, Photo{"gravel.png", false}),
                         [](const auto& photo) {
                           const std::string name = photo.param.name;
                           return name.substr(0, name.find_first_of("._"));
                         });

}  // namespace
}  // namespace bagel::vision
