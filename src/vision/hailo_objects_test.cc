#include "vision/hailo_objects.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace bagel::vision {
namespace {

// The library HAILORT_STAND_IN, with a HEF that it takes.
class Hailo : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("HAILORT_LIB", HAILORT_STAND_IN, 1);
    std::ofstream(hef_) << "\1HEF";
  }
  void TearDown() override {
    ::unsetenv("HAILORT_LIB");
    ::unsetenv("HAILO_STAND_IN");
    std::filesystem::remove(hef_);
  }

  static void SetFault(const char* fault) { ::setenv("HAILO_STAND_IN", fault, 1); }

  std::unique_ptr<ObjectFinder> Make() const { return MakeObjectFinder("hailo:" + hef_); }

  // What opening the device, or finding, says; "" if nothing.
  std::string ErrorText(ErrorKind kind) const {
    try {
      Make()->Find(cv::Mat(480, 640, CV_8UC3, cv::Scalar::all(9)));
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
      return error.what();
    }
    return "";
  }

  static int OpenHandles() {
    void* library = ::dlopen(HAILORT_STAND_IN, RTLD_NOW);
    const auto count = reinterpret_cast<int (*)()>(::dlsym(library, "stand_in_open_handles"));
    const int handles = count();
    ::dlclose(library);
    return handles;
  }

  const std::string hef_ = testing::TempDir() + "stand_in.hef";
};

TEST_F(Hailo, FindsThePersonInSourcePixels) {
  const auto finder = Make();
  EXPECT_TRUE(finder->Name().starts_with("hailo stand_in (HailoRT 4.20.0, driver "))
      << finder->Name();
  cv::Mat picture(720, 1280, CV_8UC3, cv::Scalar::all(80));
  picture(cv::Rect(400, 200, 300, 400)) = cv::Scalar(0, 0, 255);
  for (int i = 0; i < 3; ++i) {
    const std::vector<Object> objects = finder->Find(picture);
    ASSERT_EQ(objects.size(), 1U);
    EXPECT_EQ(objects[0].label, "person");
    EXPECT_FLOAT_EQ(objects[0].score, 0.9F);
    EXPECT_NEAR(objects[0].box.x, 400, 3);
    EXPECT_NEAR(objects[0].box.y, 200, 3);
    EXPECT_NEAR(objects[0].box.width, 300, 4);
    EXPECT_NEAR(objects[0].box.height, 400, 4);
  }
}

TEST_F(Hailo, GivesEverythingBack) {
  void* kept = ::dlopen(HAILORT_STAND_IN, RTLD_NOW);
  Make()->Find(cv::Mat(480, 640, CV_8UC3, cv::Scalar(0, 0, 255)));
  EXPECT_EQ(OpenHandles(), 0);
  SetFault("no nms");
  EXPECT_THROW(Make(), Error);
  SetFault("timeout");
  ErrorText(ErrorKind::kUnavailable);
  EXPECT_EQ(OpenHandles(), 0);
  ::dlclose(kept);
}

TEST_F(Hailo, SaysWhatIsWrong) {
  const struct {
    const char* fault;
    ErrorKind kind;
    const char* text;
  } cases[] = {
      {"no device", ErrorKind::kNotFound, "there is no Hailo device"},
      {"no driver", ErrorKind::kUnavailable, "the driver is not installed"},
      {"in use", ErrorKind::kUnavailable, "another program has it"},
      {"mismatch", ErrorKind::kUnavailable, "different versions"},
      {"mismatch", ErrorKind::kUnavailable, "HailoRT 4.20.0, driver "},
      {"version 5", ErrorKind::kUnsupported, "version 5.20.0, version 4 is needed"},
      {"bad hef", ErrorKind::kCorrupt, "no HEF"},
      {"wrong kind", ErrorKind::kUnsupported, "hailo8l"},
      {"two networks", ErrorKind::kUnsupported, "2 networks"},
      {"grey input", ErrorKind::kUnsupported, "640x640x1"},
      {"no nms", ErrorKind::kUnsupported, "does not give boxes"},
      {"timeout", ErrorKind::kUnavailable, "did not answer in time"},
      {"garbage count", ErrorKind::kCorrupt, "boxes of class 0"},
      {"broken count", ErrorKind::kCorrupt, "0.5"},
      {"large count", ErrorKind::kCorrupt, "at most 100"},
      {"nothing written", ErrorKind::kCorrupt, "boxes of class 0"},
      {"short buffer", ErrorKind::kCorrupt, "do not end within"},
  };
  for (const auto& [fault, kind, text] : cases) {
    SetFault(fault);
    EXPECT_NE(ErrorText(kind).find(text), std::string::npos) << fault << ": " << ErrorText(kind);
  }
}

TEST_F(Hailo, LeavesOutBoxesThatAreNoNumbers) {
  for (const char* fault : {"not a number", "no score"}) {
    SetFault(fault);
    EXPECT_TRUE(Make()->Find(cv::Mat(480, 640, CV_8UC3, cv::Scalar(0, 0, 255))).empty()) << fault;
  }
}

TEST_F(Hailo, WorksAgainAfterAFault) {
  const auto finder = Make();
  const cv::Mat picture(480, 640, CV_8UC3, cv::Scalar(0, 0, 255));
  SetFault("timeout");
  EXPECT_THROW(finder->Find(picture), Error);
  SetFault("in use");
  EXPECT_THROW(finder->Find(picture), Error);
  ::unsetenv("HAILO_STAND_IN");
  EXPECT_EQ(finder->Find(picture).size(), 1U);
}

TEST_F(Hailo, SaysWhenLibraryOrNetworkIsMissing) {
  ::setenv("HAILORT_LIB", "/no/such/libhailort.so", 1);
  EXPECT_NE(ErrorText(ErrorKind::kNotFound).find("HAILORT_LIB"), std::string::npos);
  ::setenv("HAILORT_LIB", HAILORT_STAND_IN_INCOMPLETE, 1);
  EXPECT_NE(ErrorText(ErrorKind::kUnsupported).find("hailo_release_hef"), std::string::npos);
  ::setenv("HAILORT_LIB", HAILORT_STAND_IN, 1);
  EXPECT_THROW(MakeObjectFinder("hailo:/no/such.hef"), Error);
}

TEST_F(Hailo, AutoIsNoneWithoutADevice) {
  ::setenv("HAILORT_LIB", "/no/such/libhailort.so", 1);
  EXPECT_EQ(MakeObjectFinder("auto"), nullptr);
  ::setenv("HAILORT_LIB", HAILORT_STAND_IN, 1);
  SetFault("no device");
  EXPECT_EQ(MakeObjectFinder("auto"), nullptr);
}

TEST(ParseNmsByClass, StaysInsideAnyBuffer) {
  unsigned state = 1;
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::byte> buffer(static_cast<size_t>(round % 97));
    for (std::byte& byte : buffer) {
      state = state * 1664525 + 1013904223;
      // Mostly zeros, so that some counts are whole.
      byte = (state >> 16) % 4 == 0 ? static_cast<std::byte>(state >> 24) : std::byte{0};
    }
    try {
      EXPECT_LE(ParseNmsByClass(buffer, 3, 4).size(), 12U);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    }
  }
}

}  // namespace
}  // namespace bagel::vision
