#include "vision/motion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>

namespace bagel::vision {
namespace {

constexpr int kWidth = 640;
constexpr int kHeight = 360;

// A scene with texture, lit by `light`, seen with a sensor's noise; a grey block stands at `block`.
cv::Mat Scene(double light, int seed, cv::Rect block = {}) {
  static const cv::Mat still = [] {
    cv::Mat texture(kHeight / 8, kWidth / 8, CV_8UC3);
    cv::RNG(1).fill(texture, cv::RNG::UNIFORM, 40, 160);
    cv::resize(texture, texture, {kWidth, kHeight}, 0, 0, cv::INTER_CUBIC);
    return texture;
  }();
  cv::Mat scene, noise(still.size(), CV_16SC3);
  still.convertTo(scene, CV_16SC3, light);
  if (!block.empty()) {
    scene(block).setTo(cv::Scalar(230, 230, 230));
  }
  cv::RNG(static_cast<uint64_t>(seed) + 100).fill(noise, cv::RNG::NORMAL, 0, 4);
  scene += noise;
  scene.convertTo(scene, CV_8UC3);
  return scene;
}

// A detector that knows the still scene.
MotionDetector Settled(std::vector<Zone> zones = {}) {
  MotionDetector detector({}, std::move(zones));
  for (int i = 0; i < 20; ++i) {
    detector.Add(Scene(1, i));
  }
  return detector;
}

TEST(MotionDetector, NoiseIsNoMotion) {
  MotionDetector detector;
  for (int i = 0; i < 60; ++i) {
    EXPECT_FALSE(detector.Add(Scene(1, i)).moving) << i;
  }
}

TEST(MotionDetector, SeesWhereSomethingMoves) {
  MotionDetector detector = Settled();
  const Motion motion = detector.Add(Scene(1, 20, {320, 90, 64, 90}));
  ASSERT_TRUE(motion.moving);
  EXPECT_NEAR(motion.area, 64 * 90 / (640.0 * 360), 0.015);
  EXPECT_NEAR(motion.box.x, 0.5, 0.02);
  EXPECT_NEAR(motion.box.y, 0.25, 0.03);
  EXPECT_NEAR(motion.box.width, 0.1, 0.03);
  EXPECT_NEAR(motion.box.height, 0.25, 0.05);
  EXPECT_FALSE(motion.lighting);
}

TEST(MotionDetector, WhatIsSmallIsNoMotion) {
  MotionDetector detector = Settled();
  EXPECT_FALSE(detector.Add(Scene(1, 20, {100, 100, 14, 14})).moving);
}

TEST(MotionDetector, WhatStaysBecomesBackground) {
  MotionDetector detector = Settled();
  bool moving = true;
  for (int i = 0; i < 400 && moving; ++i) {
    moving = detector.Add(Scene(1, 20 + i, {320, 90, 64, 90})).moving;
  }
  EXPECT_FALSE(moving);
}

TEST(MotionDetector, TheLightIsNoMotion) {
  MotionDetector detector = Settled();
  const Motion jump = detector.Add(Scene(1.6, 20));
  EXPECT_TRUE(jump.lighting);
  EXPECT_FALSE(jump.moving);
  for (int i = 21; i < 40; ++i) {
    EXPECT_FALSE(detector.Add(Scene(1.6, i)).moving) << i;
  }
  // It still sees in the new light.
  EXPECT_TRUE(detector.Add(Scene(1.6, 40, {320, 90, 64, 90})).moving);
}

TEST(MotionDetector, ASlowDawnIsNoMotion) {
  MotionDetector detector = Settled();
  for (int i = 0; i < 150; ++i) {
    EXPECT_FALSE(detector.Add(Scene(1 + 0.003 * i, 20 + i)).moving) << i;
  }
}

TEST(MotionDetector, OnlyZonesCount) {
  const std::vector<Zone> zones = {{"left", {{0, 0}, {0.4F, 0}, {0.4F, 1}, {0, 1}}},
                                   {"corner", {{0, 0}, {0.3F, 0}, {0, 0.5F}}}};
  MotionDetector detector = Settled(zones);
  EXPECT_FALSE(detector.Add(Scene(1, 20, {400, 90, 64, 90})).moving);
  const Motion low = detector.Add(Scene(1, 21, {100, 250, 64, 90}));
  EXPECT_TRUE(low.moving);
  EXPECT_THAT(low.zones, testing::ElementsAre("left"));
  MotionDetector another = Settled(zones);
  EXPECT_THAT(another.Add(Scene(1, 20, {20, 20, 60, 60})).zones,
              testing::ElementsAre("left", "corner"));
}

TEST(MotionDetector, AnotherSizeBeginsAnew) {
  MotionDetector detector = Settled();
  cv::Mat other;
  cv::resize(Scene(1, 1), other, {320, 240});
  EXPECT_FALSE(detector.Add(other).moving);
  EXPECT_FALSE(detector.Add(cv::Mat(1, 1, CV_8UC3, cv::Scalar(9, 9, 9))).moving);
}

TEST(ZoneMask, CoversThePolygon) {
  const cv::Mat mask = ZoneMask({"half", {{0, 0}, {0.5F, 0}, {0.5F, 1}, {0, 1}}}, {100, 50});
  EXPECT_NEAR(cv::countNonZero(mask), 100 * 50 / 2, 100);
}

}  // namespace
}  // namespace bagel::vision
