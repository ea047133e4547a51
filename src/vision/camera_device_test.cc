// The V4L2 path against a device that is played by v4l2_stand_in.cc, which this program is linked
// with before libc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "vision/camera.h"
#include "vision/camera_testing.h"
#include "vision/frame_check.h"
#include "vision/v4l2_stand_in.h"

namespace bagel::vision {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

constexpr const char* kDevice = "/dev/video42";

CameraOptions Quick() {
  CameraOptions options;
  options.width = 320;
  options.height = 240;
  options.read_timeout = milliseconds(500);
  options.first_retry = milliseconds(50);
  options.last_retry = milliseconds(200);
  return options;
}

class CameraDeviceTest : public testing::Test {
 protected:
  void SetUp() override { StandInDevice(kDevice, ""); }
  // A thread that hangs closes its descriptor when it wakes, after two seconds.
  void TearDown() override {
    const auto until = steady_clock::now() + milliseconds(5000);
    while (StandInOpen() > 0 && steady_clock::now() < until) {
      std::this_thread::sleep_for(milliseconds(20));
    }
    EXPECT_EQ(StandInOpen(), 0) << "descriptors that are still open";
  }
};

TEST_F(CameraDeviceTest, MotionJpegByDefault) {
  const auto camera = Camera::Open(kDevice);
  const Camera::View view = camera->Newest(kPatience);
  ASSERT_EQ(view.state, State::kOk) << view.detail;
  EXPECT_EQ(camera->statistics().format, "MJPG 1280x720");
  const Camera::View first = Camera::Open("demo/pictures/person-01.jpg")->Newest(kPatience);
  const Camera::View second = Camera::Open("demo/pictures/person-02.jpg")->Newest(kPatience);
  EXPECT_THAT(HashFrame(view.frame.bgr),
              testing::AnyOf(HashFrame(first.frame.bgr), HashFrame(second.frame.bgr)));
  EXPECT_LT(steady_clock::now() - view.frame.received, milliseconds(1000));
}

TEST_F(CameraDeviceTest, RawFramesWithPaddedRows) {
  StandInDevice(kDevice, "raw");
  const auto camera = Camera::Open("42", Quick());
  const Camera::View view = camera->Newest(kPatience);
  ASSERT_EQ(view.state, State::kOk) << view.detail;
  EXPECT_EQ(camera->statistics().format, "YUYV 320x240");
  ASSERT_EQ(view.frame.bgr.size(), cv::Size(320, 240));
  const cv::Scalar mean = cv::mean(view.frame.bgr);
  EXPECT_GT(mean[2], mean[0] + 50);  // the stand-in's world is red
  // The padding, which is not, is nowhere to be seen.
  const cv::Scalar edge = cv::mean(view.frame.bgr.colRange(310, 320));
  EXPECT_NEAR(edge[2] - edge[0], mean[2] - mean[0], 40);
}

struct NamedFault {
  const char* fault;
  State state;
  const char* words;
};

class DeviceFaultTest : public CameraDeviceTest, public testing::WithParamInterface<NamedFault> {};

// Each is named, and the camera comes back when the fault is gone.
TEST_P(DeviceFaultTest, IsNamedAndPasses) {
  StandInDevice(kDevice, GetParam().fault);
  CameraOptions options = Quick();
  const auto camera = Camera::Open(kDevice, options);
  const Camera::View view = WaitFor(*camera, GetParam().state);
  EXPECT_EQ(view.state, GetParam().state) << StateName(view.state);
  EXPECT_THAT(view.detail, HasSubstr(GetParam().words));
  EXPECT_THAT(view.detail, HasSubstr(kDevice));
  StandInDevice(kDevice, "");
  EXPECT_EQ(WaitFor(*camera, State::kOk).state, State::kOk);
}

INSTANTIATE_TEST_SUITE_P(
    All, DeviceFaultTest,
    testing::Values(NamedFault{"absent", State::kCameraOffline, "plugged in"},
                    NamedFault{"busy", State::kCameraBusy, "in use by another program"},
                    NamedFault{"busy_open", State::kCameraBusy, "in use by another program"},
                    NamedFault{"denied", State::kCameraOffline, "join the group video"},
                    NamedFault{"metadata", State::kCameraOffline, "gives no pictures"},
                    NamedFault{"odd", State::kCameraOffline, "gives H264"},
                    NamedFault{"huge", State::kCameraOffline, "65536x65536"},
                    NamedFault{"no_frames", State::kCameraOffline, "gave no frame for 0.5 s"},
                    NamedFault{"garbage", State::kCameraOffline, "no readable frame"},
                    NamedFault{"half", State::kCameraOffline, "no readable frame"},
                    NamedFault{"error_flag", State::kCameraOffline, "no readable frame"},
                    NamedFault{"unplug@12", State::kCameraOffline, "unplugged"},
                    NamedFault{"dead@12", State::kCameraOffline, "unplugged"},
                    NamedFault{"stuck@12", State::kCameraOffline, "gave no frame"},
                    NamedFault{"index", State::kCameraOffline, "buffer 1000 of 4"},
                    NamedFault{"mmap", State::kCameraOffline, "cannot be mapped"}),
    [](const auto& test) {
      const std::string fault = test.param.fault;
      return fault.substr(0, fault.find('@'));
    });

TEST_F(CameraDeviceTest, AFrameOfBeforeTheSleepIsRefused) {
  StandInDevice(kDevice, "old");
  const auto camera = Camera::Open(kDevice, Quick());
  const Camera::View view = camera->Newest(milliseconds(1500));
  EXPECT_EQ(view.state, State::kStale) << StateName(view.state);
  EXPECT_THAT(view.detail, HasSubstr("old"));
}

TEST_F(CameraDeviceTest, PluggedInAgainItIsFoundSoon) {
  CameraOptions options = Quick();
  options.first_retry = options.last_retry = std::chrono::minutes(1);
  StandInDevice(kDevice, "absent");
  const auto camera = Camera::Open(kDevice, options);
  EXPECT_EQ(camera->Newest(kPatience).state, State::kCameraOffline);
  StandInDevice(kDevice, "");
  EXPECT_EQ(WaitFor(*camera, State::kOk).state, State::kOk);
}

TEST_F(CameraDeviceTest, PrivacyClosesTheDevice) {
  const auto camera = Camera::Open(kDevice, Quick());
  ASSERT_EQ(camera->Newest(kPatience).state, State::kOk);
  EXPECT_EQ(StandInOpen(), 1);
  camera->SetPrivacy(true);
  EXPECT_EQ(StandInOpen(), 0);
  camera->SetPrivacy(false);
  EXPECT_EQ(camera->Newest(kPatience).state, State::kOk);
}

TEST_F(CameraDeviceTest, IsListed) {
  const std::vector<CameraInfo> cameras = ListCameras();
  ASSERT_EQ(cameras.size(), 1u);
  EXPECT_EQ(cameras[0].path, kDevice);
  EXPECT_EQ(cameras[0].name, "Stand-in Camera: HD");
  EXPECT_EQ(cameras[0].driver, "uvcvideo");
  EXPECT_FALSE(cameras[0].busy);
  EXPECT_EQ(cameras[0].problem, "");
  ASSERT_EQ(cameras[0].formats.size(), 2u);
  EXPECT_EQ(cameras[0].formats[0].fourcc, "MJPG");
  EXPECT_THAT(cameras[0].formats[0].sizes,
              testing::ElementsAre(std::pair(640, 480), std::pair(1280, 720)));
}

TEST_F(CameraDeviceTest, IsListedWithItsProblem) {
  StandInDevice(kDevice, "busy");
  ASSERT_EQ(ListCameras().size(), 1u);
  EXPECT_TRUE(ListCameras()[0].busy);
  EXPECT_THAT(ListCameras()[0].problem, HasSubstr("in use"));
  StandInDevice(kDevice, "denied");
  ASSERT_EQ(ListCameras().size(), 1u);
  EXPECT_THAT(ListCameras()[0].problem, HasSubstr("usermod"));
  StandInDevice(kDevice, "metadata");
  EXPECT_TRUE(ListCameras().empty());
  StandInDevice(kDevice, "absent");
  EXPECT_TRUE(ListCameras().empty());
}

}  // namespace
}  // namespace bagel::vision
