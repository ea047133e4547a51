#include "vision/frame_check.h"

#include <gtest/gtest.h>

#include <chrono>
#include <opencv2/imgproc.hpp>
#include <string>

#include "vision/camera_source.h"

namespace bagel::vision {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

cv::Mat Grey(int level, int noise) {
  cv::Mat frame(720, 1280, CV_8UC3, cv::Scalar::all(level));
  cv::Mat grain(720, 1280, CV_8UC3);
  cv::RNG(7).fill(grain, cv::RNG::UNIFORM, 0, noise + 1);
  return frame + grain;
}

cv::Mat DrawnPicture() {
  // Edges, a gradient, a little noise.
  cv::Mat frame = Grey(90, 6);
  cv::rectangle(frame, {200, 100, 300, 500}, cv::Scalar(200, 120, 40), cv::FILLED);
  cv::circle(frame, {800, 300}, 150, cv::Scalar(90, 160, 220), cv::FILLED);
  return frame;
}

TEST(FrameCheckTest, BlackIsDark) {
  EXPECT_EQ(CheckFrame(Grey(0, 0)), State::kDark);
  EXPECT_EQ(CheckFrame(Grey(2, 8)), State::kDark);  // a sensor's noise in the dark
}

TEST(FrameCheckTest, ALampInTheDarkIsAPicture) {
  cv::Mat frame = Grey(2, 4);
  cv::rectangle(frame, {600, 300, 60, 60}, cv::Scalar::all(250), cv::FILLED);
  EXPECT_EQ(CheckFrame(frame), State::kOk);
}

TEST(FrameCheckTest, OneColourIsNoSignal) {
  EXPECT_EQ(CheckFrame(cv::Mat(720, 1280, CV_8UC3, cv::Scalar(255, 0, 0))), State::kNoSignal);
  EXPECT_EQ(CheckFrame(Grey(128, 2)), State::kNoSignal);
  EXPECT_EQ(CheckFrame(cv::Mat(1, 1, CV_8UC3, cv::Scalar::all(200))), State::kNoSignal);
}

TEST(FrameCheckTest, BlurredHoweverDim) {
  const cv::Mat sharp = DrawnPicture();
  cv::Mat blurred, dim;
  cv::GaussianBlur(sharp, blurred, cv::Size(), 6);
  EXPECT_EQ(CheckFrame(sharp), State::kOk);
  EXPECT_EQ(CheckFrame(blurred), State::kBlurred);
  sharp.convertTo(dim, -1, 0.3);
  EXPECT_EQ(CheckFrame(dim), State::kOk);
  blurred.convertTo(dim, -1, 0.3);
  EXPECT_EQ(CheckFrame(dim), State::kBlurred);
}

TEST(FrameCheckTest, ASharpFaceBeforeABlurredRoomIsSharp) {
  const cv::Mat sharp = DrawnPicture();
  cv::Mat frame;
  cv::GaussianBlur(sharp, frame, cv::Size(), 10);
  const cv::Rect face(450, 80, 250, 250);
  sharp(face).copyTo(frame(face));
  EXPECT_EQ(CheckFrame(frame), State::kOk);
}

TEST(FrameCheckTest, AnySizeAndGrey) {
  for (const cv::Size size :
       {cv::Size(1, 1), cv::Size(3, 1000), cv::Size(1000, 3), cv::Size(641, 5)}) {
    const cv::Mat frame(size, CV_8UC1, cv::Scalar(100));
    EXPECT_EQ(CheckFrame(frame), State::kNoSignal) << size;
  }
}

TEST(FrameCheckTest, OnePixelChangesTheHash) {
  cv::Mat frame = DrawnPicture();
  const uint64_t hash = HashFrame(frame);
  EXPECT_EQ(HashFrame(frame.clone()), hash);
  for (const cv::Point at : {cv::Point(0, 0), cv::Point(1279, 719), cv::Point(640, 360)}) {
    cv::Mat changed = frame.clone();
    changed.at<cv::Vec3b>(at)[2] ^= 1;
    EXPECT_NE(HashFrame(changed), hash) << at;
  }
  // Rows of a part of a picture are not adjacent.
  const cv::Rect part(3, 5, 101, 50);
  EXPECT_EQ(HashFrame(frame(part)), HashFrame(frame(part).clone()));
}

TEST(FreezeCheckTest, NeedsTimeAndCount) {
  FreezeCheck check(milliseconds(1000), 10);
  const auto start = steady_clock::now();
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(check.Add(1, start + milliseconds(10 * i)));
  EXPECT_TRUE(check.Add(1, start + milliseconds(1000)));
  EXPECT_FALSE(check.Add(2, start + milliseconds(1100)));
  EXPECT_FALSE(check.Add(2, start + milliseconds(5000)));  // two frames only
}

TEST(WarmUpTest, WaitsForTheExposure) {
  WarmUp warm_up;
  const auto start = steady_clock::now();
  double level = 5;
  int frames = 0;
  for (; frames < 30; ++frames, level = level * 0.5 + 50) {
    if (warm_up.Add(level, start + milliseconds(100 * frames))) break;
  }
  EXPECT_GE(frames, 5);
  EXPECT_LT(frames, 10);
  EXPECT_NEAR(level, 100, 2);
}

TEST(WarmUpTest, EndsAfterTwoSeconds) {
  WarmUp warm_up;
  const auto start = steady_clock::now();
  EXPECT_FALSE(warm_up.Add(10, start));
  EXPECT_FALSE(warm_up.Add(100, start + milliseconds(1900)));
  EXPECT_TRUE(warm_up.Add(10, start + milliseconds(2000)));
}

TEST(WarmUpTest, FastCamerasWaitForTime) {
  WarmUp warm_up;
  const auto start = steady_clock::now();
  for (int i = 0; i < 30; ++i) EXPECT_FALSE(warm_up.Add(100, start + milliseconds(9 * i)));
  EXPECT_TRUE(warm_up.Add(100, start + milliseconds(300)));
}

}  // namespace
}  // namespace bagel::vision
