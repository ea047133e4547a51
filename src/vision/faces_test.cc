#include "vision/faces.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>

#include "base/error.h"

namespace bagel::vision {
namespace {

ErrorKind KindOf(const std::string& spec, const FaceOptions& options = {}) {
  try {
    MakeFaceFinder(spec, options);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::kInternal;
}

TEST(MainFace, IsTheLargest) {
  const std::vector<Face> faces = {
      {{0, 0, 60, 60}, 1}, {{10, 10, 90, 80}, 1}, {{50, 50, 80, 80}, 9}};
  EXPECT_EQ(MainFace(faces, {640, 480})->box, cv::Rect(10, 10, 90, 80));
}

TEST(MainFace, OfEqualOnesTheMoreCentral) {
  const std::vector<Face> faces = {
      {{0, 0, 80, 80}, 1}, {{300, 200, 80, 80}, 1}, {{560, 400, 80, 80}, 1}};
  EXPECT_EQ(MainFace(faces, {640, 480})->box.x, 300);
  EXPECT_EQ(MainFace({faces[2], faces[0]}, {640, 480})->box.x, 560);  // as central: the first
}

TEST(MainFace, OfNoneIsNone) { EXPECT_FALSE(MainFace({}, {640, 480})); }

TEST(FaceCrop, PadsEachSide) {
  // The astronaut of scikit-image at scale 1.1.
  EXPECT_EQ(FaceCrop({177, 66, 95, 95}, {512, 512}),
            cv::Rect(cv::Point(139, 28), cv::Point(310, 199)));
  EXPECT_EQ(FaceCrop({177, 66, 95, 95}, {512, 512}, 0), cv::Rect(177, 66, 95, 95));
}

TEST(FaceCrop, IsClampedAtEachBorderAndCorner) {
  const cv::Size frame(200, 100);
  EXPECT_EQ(FaceCrop({0, 30, 20, 20}, frame), cv::Rect(0, 22, 28, 36));
  EXPECT_EQ(FaceCrop({180, 30, 20, 20}, frame), cv::Rect(172, 22, 28, 36));
  EXPECT_EQ(FaceCrop({90, 0, 20, 20}, frame), cv::Rect(82, 0, 36, 28));
  EXPECT_EQ(FaceCrop({90, 80, 20, 20}, frame), cv::Rect(82, 72, 36, 28));
  EXPECT_EQ(FaceCrop({0, 0, 20, 20}, frame), cv::Rect(0, 0, 28, 28));
  EXPECT_EQ(FaceCrop({180, 0, 20, 20}, frame), cv::Rect(172, 0, 28, 28));
  EXPECT_EQ(FaceCrop({0, 80, 20, 20}, frame), cv::Rect(0, 72, 28, 28));
  EXPECT_EQ(FaceCrop({180, 80, 20, 20}, frame), cv::Rect(172, 72, 28, 28));
}

TEST(FaceCrop, OfTheWholeFrameIsTheFrame) {
  EXPECT_EQ(FaceCrop({0, 0, 200, 100}, {200, 100}), cv::Rect(0, 0, 200, 100));
  EXPECT_EQ(FaceCrop({-50, -50, 400, 300}, {200, 100}), cv::Rect(0, 0, 200, 100));
  EXPECT_EQ(FaceCrop({0, 0, 1, 1}, {1, 1}), cv::Rect(0, 0, 1, 1));
  EXPECT_EQ(FaceCrop({0, 0, 200, 100}, {200, 100}, 1e300), cv::Rect(0, 0, 200, 100));
}

TEST(FaceCrop, IsEmptyForWhatIsNoFace) {
  EXPECT_TRUE(FaceCrop({10, 10, 0, 20}, {200, 100}).empty());
  EXPECT_TRUE(FaceCrop({10, 10, 20, -5}, {200, 100}).empty());
  EXPECT_TRUE(FaceCrop({200, 10, 20, 20}, {200, 100}).empty());
  EXPECT_TRUE(FaceCrop({-20, 10, 20, 20}, {200, 100}).empty());
  EXPECT_TRUE(FaceCrop({10, 10, 20, 20}, {0, 0}).empty());
}

TEST(MakeFaceFinder, SaysWhatIsWrong) {
  EXPECT_EQ(KindOf(""), ErrorKind::kInvalidArgument);
  EXPECT_EQ(KindOf("haar:"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(KindOf("yunet"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(KindOf("dlib:x"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(KindOf("haar:/no/such/file"), ErrorKind::kNotFound);
  EXPECT_EQ(KindOf("yunet:/tmp"), ErrorKind::kNotFound);
  EXPECT_EQ(KindOf("haar", {.scale = 1}), ErrorKind::kInvalidArgument);
  EXPECT_EQ(KindOf("haar", {.scale = std::nan("")}), ErrorKind::kInvalidArgument);
  EXPECT_EQ(KindOf("haar", {.min_size = 0}), ErrorKind::kInvalidArgument);
}

TEST(MakeFaceFinder, RefusesFilesThatAreNoDetector) {
  const std::string file = testing::TempDir() + "no_detector.xml";
  for (const char* text :
       {"", "<?xml version=\"1.0\"?><opencv_storage></opencv_storage>", "garbage"}) {
    std::ofstream(file) << text;
    EXPECT_EQ(KindOf("haar:" + file), ErrorKind::kCorrupt) << text;
    EXPECT_EQ(KindOf("yunet:" + file), ErrorKind::kCorrupt) << text;
  }
  std::filesystem::remove(file);
}

TEST(Haar, FindsNothingInFlatAndTinyPictures) {
  const auto finder = MakeFaceFinder("haar");
  EXPECT_TRUE(finder->Find(cv::Mat(720, 1280, CV_8UC3, cv::Scalar::all(90))).empty());
  EXPECT_TRUE(finder->Find(cv::Mat(1, 1, CV_8UC3, cv::Scalar::all(255))).empty());
  EXPECT_TRUE(finder->Find(cv::Mat(1, 5000, CV_8UC3, cv::Scalar::all(255))).empty());
}

TEST(Haar, FindsEveryDrawnPerson) {
  const auto finder = MakeFaceFinder("haar");
  for (int i = 1; i <= 50; ++i) {
    char name[64];
    std::snprintf(name, sizeof name, "demo/pictures/person-%02d.jpg", i);
    const cv::Mat picture = cv::imread(name);
    const std::optional<Face> face = MainFace(finder->Find(picture), picture.size());
    ASSERT_TRUE(face) << name;
    // In the upper middle, where they are drawn.
    EXPECT_GE(face->box.width, 150) << name;
    EXPECT_TRUE(cv::Rect(320, 0, 640, 460).contains((face->box.tl() + face->box.br()) / 2)) << name;
  }
}

TEST(Haar, FindsNobodyInDrawnStreets) {
  const auto finder = MakeFaceFinder("haar");
  for (int i = 1; i <= 10; ++i) {
    char name[64];
    std::snprintf(name, sizeof name, "demo/pictures/security-%02d.jpg", i);
    EXPECT_TRUE(finder->Find(cv::imread(name)).empty()) << name;
  }
}

}  // namespace
}  // namespace bagel::vision
