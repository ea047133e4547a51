// Faces in photographs of Debian's python3-skimage, which ./test.sh unpacks.
#include <gtest/gtest.h>

#include <filesystem>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>

#include "vision/faces.h"

namespace bagel::vision {
namespace {

constexpr const char* kPhotos =
    "build/packages/python3-skimage/usr/lib/python3/dist-packages/skimage/data/";

cv::Mat Photo(const std::string& name) {
  const cv::Mat photo = cv::imread(kPhotos + name, cv::IMREAD_COLOR);
  EXPECT_FALSE(photo.empty()) << kPhotos + name << " is missing: ./test.sh unpacks it";
  return photo;
}

double Overlap(const cv::Rect& a, const cv::Rect& b) {
  const double common = (a & b).area();
  return common / (a.area() + b.area() - common);
}

TEST(PhotoFaces, AstronautAtTheRecordedPlace) {
  const cv::Mat photo = Photo("astronaut.png");
  const std::vector<Face> faces = MakeFaceFinder("haar", {.scale = 1.1})->Find(photo);
  ASSERT_EQ(faces.size(), 1U);
  EXPECT_EQ(faces[0].box, cv::Rect(177, 66, 95, 95));
  EXPECT_EQ(FaceCrop(faces[0].box, photo.size()),
            cv::Rect(cv::Point(139, 28), cv::Point(310, 199)));
}

TEST(PhotoFaces, AstronautWithTheDefaults) {
  const std::vector<Face> faces = MakeFaceFinder("haar")->Find(Photo("astronaut.png"));
  ASSERT_EQ(faces.size(), 1U);
  EXPECT_GT(Overlap(faces[0].box, {177, 66, 95, 95}), 0.8);
}

// One astronaut as she is and one at three quarters in a frame of a camera.
TEST(PhotoFaces, MainFaceOfTwo) {
  const cv::Mat photo = Photo("astronaut.png");
  cv::Mat frame(720, 1280, CV_8UC3, cv::Scalar::all(60));
  photo.copyTo(frame(cv::Rect(700, 100, 512, 512)));
  cv::resize(photo, frame(cv::Rect(50, 200, 384, 384)), {384, 384}, 0, 0, cv::INTER_AREA);
  const std::vector<Face> faces = MakeFaceFinder("haar")->Find(frame);
  ASSERT_EQ(faces.size(), 2U);
  EXPECT_GT(Overlap(MainFace(faces, frame.size())->box, {877, 166, 95, 95}), 0.8);
  EXPECT_GT(Overlap(faces[1].box, {50 + 133, 200 + 50, 71, 71}), 0.7);
}

TEST(PhotoFaces, LargePictureIsSearchedSmaller) {
  cv::Mat photo = Photo("astronaut.png");
  cv::resize(photo, photo, {4096, 4096}, 0, 0, cv::INTER_LINEAR);
  const std::vector<Face> faces = MakeFaceFinder("haar")->Find(photo);
  const auto main = MainFace(faces, photo.size());
  ASSERT_TRUE(main);
  EXPECT_GT(Overlap(main->box, {177 * 8, 66 * 8, 95 * 8, 95 * 8}), 0.8);
}

TEST(PhotoFaces, DarkMirroredAndNoisy) {
  const cv::Mat photo = Photo("astronaut.png");
  const auto finder = MakeFaceFinder("haar");
  cv::Mat changed;
  photo.convertTo(changed, CV_8U, 0.3);
  EXPECT_FALSE(finder->Find(changed).empty());
  cv::flip(photo, changed, 1);
  EXPECT_GT(
      Overlap(MainFace(finder->Find(changed), changed.size())->box, {512 - 177 - 95, 66, 95, 95}),
      0.7);
  cv::Mat noise(photo.size(), CV_8UC3);
  cv::RNG random(7);
  random.fill(noise, cv::RNG::NORMAL, 0, 15);
  cv::add(photo, noise, changed);
  EXPECT_FALSE(finder->Find(changed).empty());
}

TEST(PhotoFaces, NoneWhereNobodyLooks) {
  const auto finder = MakeFaceFinder("haar");
  for (const char* name :
       {"brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png",
        "coins.png", "color.png", "gravel.png", "grass.png", "horse.png", "hubble_deep_field.jpg",
        "ihc.png", "moon.png", "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg",
        "text.png"}) {
    const cv::Mat photo = Photo(name);
    EXPECT_TRUE(finder->Find(photo).empty()) << name;
    // As a camera would give it.
    cv::Mat frame;
    cv::resize(photo, frame, {1280, 720}, 0, 0, cv::INTER_LINEAR);
    EXPECT_TRUE(finder->Find(frame).empty()) << name << " at 1280x720";
  }
}

}  // namespace
}  // namespace bagel::vision
