#include "vision/camera.h"

#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <opencv2/videoio.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "vision/camera_source.h"
#include "vision/camera_testing.h"
#include "vision/frame_check.h"

namespace bagel::vision {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

// Small frames and short waits.
CameraOptions Quick() {
  CameraOptions options;
  options.width = 320;
  options.height = 240;
  options.read_timeout = milliseconds(600);
  options.open_timeout = milliseconds(600);
  options.first_retry = milliseconds(50);
  options.last_retry = milliseconds(100);
  options.frames_per_second = 30;
  return options;
}

int ThreadCount() {
  int count = 0;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    (void)task;
    ++count;
  }
  return count;
}

class CameraTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("camera_test." + std::to_string(getpid()));
    fs::create_directory(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }

  fs::path folder_;
};

// What takes more than a few seconds.
class CameraLongTest : public CameraTest {};

TEST_F(CameraTest, APatternIsReadAfterWarmUp) {
  const auto camera = Camera::Open("test:pattern");
  const auto start = steady_clock::now();
  const Camera::View view = camera->Newest(kPatience);
  ASSERT_EQ(view.state, State::kOk) << view.detail;
  EXPECT_GE(steady_clock::now() - start, milliseconds(300));
  EXPECT_EQ(view.frame.bgr.size(), cv::Size(1280, 720));
  EXPECT_EQ(view.frame.bgr.type(), CV_8UC3);
  EXPECT_EQ(view.frame.sequence, 1u);
  EXPECT_LT(std::chrono::system_clock::now() - view.frame.captured_at, milliseconds(1000));
  EXPECT_EQ(camera->statistics().format, "pattern 1280x720");
}

TEST_F(CameraTest, ANewerFrameIsWaitedFor) {
  const auto camera = Camera::Open("test:pattern", Quick());
  const Camera::View first = camera->Newest(kPatience);
  const Camera::View second = camera->Newest(kPatience, first.frame.received);
  ASSERT_EQ(second.state, State::kOk);
  EXPECT_GT(second.frame.sequence, first.frame.sequence);
  EXPECT_NE(HashFrame(first.frame.bgr), HashFrame(second.frame.bgr));
}

TEST_F(CameraTest, NoMoreFramesThanAskedForAreDecoded) {
  CameraOptions options = Quick();
  options.frames_per_second = 5;
  const auto camera = Camera::Open("test:pattern", options);
  camera->Newest(kPatience);
  const uint64_t before = camera->statistics().frames;
  std::this_thread::sleep_for(milliseconds(1000));
  EXPECT_LE(camera->statistics().frames - before, 8u);
}

struct NamedState {
  const char* fault;
  State state;
  const char* words;
};

class CameraFaultTest : public testing::TestWithParam<NamedState> {};

TEST_P(CameraFaultTest, IsNamed) {
  CameraOptions options = Quick();
  options.frozen_after = milliseconds(500);
  const auto camera = Camera::Open(std::string("test:pattern?fault=") + GetParam().fault, options);
  const Camera::View view = WaitFor(*camera, GetParam().state);
  EXPECT_EQ(view.state, GetParam().state) << StateName(view.state);
  EXPECT_THAT(view.detail, HasSubstr(GetParam().words));
  // Known to be bad: nobody waits for it any more.
  const auto start = steady_clock::now();
  EXPECT_EQ(camera->Newest(kPatience).state, GetParam().state);
  EXPECT_LT(steady_clock::now() - start, milliseconds(2000));
}

INSTANTIATE_TEST_SUITE_P(
    All, CameraFaultTest,
    testing::Values(NamedState{"black", State::kDark, "lens covered"},
                    NamedState{"flat", State::kNoSignal, "one flat colour"},
                    NamedState{"blur", State::kBlurred, "out of focus"},
                    NamedState{"freeze", State::kFrozen, "same picture"},
                    NamedState{"corrupt", State::kCameraOffline, "no readable frame"},
                    NamedState{"slow", State::kCameraOffline, "no frame for 0.6 s"},
                    NamedState{"unplug@300ms", State::kCameraOffline, "unplugged"},
                    NamedState{"hang@300ms", State::kCameraOffline, "no frame for 0.6 s"}),
    [](const auto& test) {
      const std::string fault = test.param.fault;
      return fault.substr(0, fault.find('@'));
    });

TEST_F(CameraLongTest, AFrozenCameraIsOpenedAgain) {
  CameraOptions options = Quick();
  options.frozen_after = milliseconds(400);
  const auto camera = Camera::Open("test:pattern?fault=freeze", options);
  WaitFor(*camera, State::kFrozen);
  const uint64_t before = camera->statistics().reconnects;
  std::this_thread::sleep_for(milliseconds(1500));
  EXPECT_GT(camera->statistics().reconnects, before);
  EXPECT_EQ(camera->statistics().state, State::kFrozen);
}

TEST_F(CameraTest, AnOldFrameIsRefused) {
  CameraOptions options = Quick();
  options.read_timeout = milliseconds(5000);
  options.stale_after = milliseconds(100);
  const auto camera = Camera::Open("test:pattern?fault=hang@1s", options);
  ASSERT_EQ(camera->Newest(kPatience).state, State::kOk);
  const Camera::View view = WaitFor(*camera, State::kStale);
  EXPECT_EQ(view.state, State::kStale);
  EXPECT_THAT(view.detail, HasSubstr("old"));
  EXPECT_FALSE(view.frame.bgr.empty());
}

TEST_F(CameraTest, ReconnectsAndTellsOfIt) {
  const auto camera = Camera::Open("test:pattern?fault=unplug@600ms", Quick());
  std::mutex mutex;
  std::vector<State> states;
  camera->OnState([&](State state, const std::string&) {
    const std::lock_guard lock(mutex);
    states.push_back(state);
  });
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(WaitFor(*camera, State::kOk).state, State::kOk);
    EXPECT_EQ(WaitFor(*camera, State::kCameraOffline).state, State::kCameraOffline);
  }
  camera->OnState({});
  EXPECT_GE(camera->statistics().reconnects, 2u);
  ASSERT_GE(states.size(), 6u);
  EXPECT_EQ(states[0], State::kStarting);
  for (size_t i = 1; i < states.size(); ++i) {
    EXPECT_EQ(states[i], i % 2 == 1 ? State::kOk : State::kCameraOffline);
  }
}

TEST_F(CameraTest, PrivacyClosesAtOnce) {
  const auto camera = Camera::Open("test:pattern", Quick());
  ASSERT_EQ(camera->Newest(kPatience).state, State::kOk);
  const auto start = steady_clock::now();
  camera->SetPrivacy(true);
  EXPECT_LT(steady_clock::now() - start, milliseconds(500));
  EXPECT_TRUE(camera->privacy());
  const Camera::View view = camera->Newest(kPatience);
  EXPECT_EQ(view.state, State::kPrivacy);
  EXPECT_TRUE(view.frame.bgr.empty());
  EXPECT_THAT(view.detail, HasSubstr("privacy"));
  EXPECT_EQ(camera->statistics().format, "");
  const uint64_t frames = camera->statistics().frames;
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_EQ(camera->statistics().frames, frames);
  camera->SetPrivacy(false);
  EXPECT_EQ(camera->Newest(kPatience).state, State::kOk);
}

TEST_F(CameraTest, PrivacyIsNotKeptWaitingByASourceThatHangs) {
  const auto camera = Camera::Open("test:pattern?fault=hang@200ms", Quick());
  std::this_thread::sleep_for(milliseconds(350));
  const auto start = steady_clock::now();
  camera->SetPrivacy(true);
  EXPECT_LT(steady_clock::now() - start, milliseconds(1500));
  EXPECT_EQ(camera->Newest(kPatience).state, State::kPrivacy);
}

TEST_F(CameraTest, PrivacyAgainAndAgain) {
  const auto camera = Camera::Open("test:pattern", Quick());
  for (int i = 0; i < 200; ++i) camera->SetPrivacy(i % 2 == 0);
  EXPECT_EQ(camera->Newest(kPatience).state, State::kOk);
}

TEST_F(CameraLongTest, ThreadsStayFewWhenASourceHangs) {
  const int before = ThreadCount();
  {
    CameraOptions options = Quick();
    options.read_timeout = milliseconds(100);
    const auto camera = Camera::Open("test:pattern?fault=hang@600ms", options);
    int most = 0;
    bool refused = false;
    const auto until = steady_clock::now() + milliseconds(8000);
    while (steady_clock::now() < until) {
      most = std::max(most, ThreadCount() - before);
      refused = refused || camera->statistics().detail.find("hangs") != std::string::npos;
      std::this_thread::sleep_for(milliseconds(20));
    }
    EXPECT_LE(most, 6);  // the camera's own, four that hang, one that begins
    EXPECT_GT(camera->statistics().reconnects, 3u);
    EXPECT_TRUE(refused);
  }
  // Each hangs for six seconds and then ends.
  const auto until = steady_clock::now() + milliseconds(8000);
  while (ThreadCount() > before && steady_clock::now() < until) {
    std::this_thread::sleep_for(milliseconds(20));
  }
  EXPECT_EQ(ThreadCount(), before);
}

TEST_F(CameraTest, APictureIsACamera) {
  const auto camera = Camera::Open("demo/pictures/person-01.jpg");
  const Camera::View view = camera->Newest(kPatience);
  ASSERT_EQ(view.state, State::kOk) << view.detail;
  EXPECT_EQ(view.frame.bgr.size(), cv::Size(1280, 720));
  // It never freezes, and stays fresh.
  const Camera::View later = camera->Newest(kPatience, view.frame.received);
  EXPECT_EQ(later.state, State::kOk);
  EXPECT_GT(later.frame.sequence, view.frame.sequence);
}

TEST_F(CameraTest, TheDemoPlaysTheDrawnPictures) {
  const auto first = Camera::Open("demo")->Newest(kPatience);
  const auto seventh = Camera::Open("demo:7")->Newest(kPatience);
  const auto picture = Camera::Open("demo/pictures/person-07.jpg")->Newest(kPatience);
  ASSERT_EQ(seventh.state, State::kOk);
  EXPECT_EQ(HashFrame(seventh.frame.bgr), HashFrame(picture.frame.bgr));
  EXPECT_NE(HashFrame(seventh.frame.bgr), HashFrame(first.frame.bgr));
  EXPECT_THROW(Camera::Open("demo:61"), Error);
}

TEST_F(CameraTest, AllShippedPicturesAreUsable) {
  for (const auto& entry : fs::directory_iterator("demo/pictures")) {
    if (entry.path().extension() != ".jpg") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(CheckFrame(DecodeFrame(std::as_bytes(std::span(bytes)))), State::kOk) << entry;
  }
}

TEST_F(CameraTest, AFolderWithBrokenPicturesShowsTheOthers) {
  Write("a.jpg", "\xFF\xD8\xFFnot a picture");
  Write("b.txt", "text");
  fs::copy("demo/pictures/person-02.jpg", folder_ / "c.JPG");
  const auto camera = Camera::Open(folder_);
  EXPECT_EQ(camera->Newest(kPatience).state, State::kOk);
  EXPECT_EQ(camera->statistics().broken, 1u);
}

TEST_F(CameraTest, AFolderOfBrokenPicturesIsOffline) {
  Write("a.jpg", "\xFF\xD8\xFFnot a picture");
  const auto camera = Camera::Open(folder_);
  const Camera::View view = camera->Newest(kPatience);
  EXPECT_EQ(view.state, State::kCameraOffline);
  EXPECT_THAT(view.detail, HasSubstr("a.jpg"));
}

TEST_F(CameraTest, AVideoIsPlayedOverAndOver) {
  const std::string path = folder_ / "video.avi";
  {
    cv::VideoWriter writer(path, cv::CAP_OPENCV_MJPEG, cv::VideoWriter::fourcc('M', 'J', 'P', 'G'),
                           25, cv::Size(320, 240));
    ASSERT_TRUE(writer.isOpened());
    cv::RNG random(1);
    for (int i = 0; i < 12; ++i) {
      cv::Mat frame(240, 320, CV_8UC3);
      random.fill(frame, cv::RNG::UNIFORM, 0, 256);
      writer.write(frame);
    }
  }
  CameraOptions options;
  options.frames_per_second = 100;
  const auto camera = Camera::Open(path, options);
  const Camera::View view = camera->Newest(kPatience);
  ASSERT_EQ(view.state, State::kOk) << view.detail;
  EXPECT_EQ(view.frame.bgr.size(), cv::Size(320, 240));
  std::this_thread::sleep_for(milliseconds(1500));
  const Camera::Statistics statistics = camera->statistics();
  EXPECT_EQ(statistics.state, State::kOk);
  EXPECT_EQ(statistics.format, "MJPG 320x240");
  EXPECT_GT(statistics.frames, 20u);
  EXPECT_LT(statistics.frames, 45u);  // at its own speed

  fs::resize_file(path, fs::file_size(path) / 2);
  EXPECT_EQ(Camera::Open(path)->Newest(kPatience).state, State::kOk);
}

TEST_F(CameraTest, WhatCanNeverWorkIsRefused) {
  const auto message = [](const std::string& source) -> std::string {
    try {
      Camera::Open(source);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message(""), HasSubstr("empty"));
  EXPECT_THAT(message("no/such/file.jpg"), HasSubstr("no/such/file.jpg"));
  EXPECT_THAT(message("ftp://host/x"), HasSubstr("ftp://"));
  EXPECT_THAT(message("test:pattern?fault=none"), HasSubstr("unplug@5s"));
  EXPECT_THAT(message("test:pattern?fault=unplug@-5s"), HasSubstr("unknown"));
  EXPECT_THAT(message("test:pattern?fault=unplug@99999999999999999999s"), HasSubstr("unknown"));
  EXPECT_THAT(message(folder_), HasSubstr("no .jpg"));
  EXPECT_THAT(message(Write("a.txt", "hello")), HasSubstr("neither a picture"));
  EXPECT_THAT(message(Write("empty.mp4", "")), HasSubstr("neither a picture"));
  EXPECT_THAT(message(Write("a.jpg", "\xFF\xD8\xFFhello")), HasSubstr("a.jpg"));
  // A header that promises 65535x65535 pixels.
  const std::string huge = std::string(
      "\xFF\xD8\xFF\xC0\x00\x11\x08\xFF\xFF\xFF\xFF\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01", 21);
  EXPECT_THAT(message(Write("huge.jpg", huge)), HasSubstr("huge.jpg"));
  CameraOptions options;
  options.width = 0;
  EXPECT_THROW(Camera::Open("demo", options), Error);
}

TEST_F(CameraTest, AFileBelowDevIsAFile) {
  const fs::path path = "/dev/shm/camera_test." + std::to_string(getpid()) + ".jpg";
  fs::copy_file("demo/pictures/person-01.jpg", path);
  EXPECT_EQ(Camera::Open(path)->Newest(kPatience).state, State::kOk);
  fs::remove(path);
}

TEST_F(CameraTest, AMissingDeviceIsOfflineAtOnce) {
  const auto camera = Camera::Open("/dev/video97");
  const auto start = steady_clock::now();
  const Camera::View view = camera->Newest(kPatience);
  EXPECT_EQ(view.state, State::kCameraOffline);
  EXPECT_THAT(view.detail, HasSubstr("plugged in"));
  EXPECT_LT(steady_clock::now() - start, milliseconds(1000));
}

TEST_F(CameraTest, WhatIsNoCameraSaysSo) {
  const Camera::View view = Camera::Open("/dev/null")->Newest(kPatience);
  EXPECT_EQ(view.state, State::kCameraOffline);
  EXPECT_THAT(view.detail, HasSubstr("not a camera"));
}

TEST_F(CameraTest, CallersDoNotDisturbEachOther) {
  const auto camera = Camera::Open("test:pattern", Quick());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&camera] {
      for (int j = 0; j < 20; ++j) {
        const Camera::View view = camera->Newest(kPatience);
        EXPECT_EQ(view.state, State::kOk) << view.detail;
        camera->statistics();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(SourceNameTest, HidesPasswords) {
  EXPECT_EQ(SourceName("rtsp://me:secret@host:554/live?a=b@c"),
            "rtsp://me:***@host:554/live?a=b@c");
  EXPECT_EQ(SourceName("rtsp://me:se@cret@host/"), "rtsp://me:***@host/");
  EXPECT_EQ(SourceName("rtsp://me@host/"), "rtsp://me@host/");
  EXPECT_EQ(SourceName("http://host/a:b@c"), "http://host/a:b@c");
  EXPECT_EQ(SourceName("/dev/video0"), "/dev/video0");
  EXPECT_EQ(Camera::Open("http://me:secret@127.0.0.1:1/")->name(), "http://me:***@127.0.0.1:1/");
}

}  // namespace
}  // namespace bagel::vision
