// Streams from servers that behave, stall, end and lie.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <thread>
#include <vector>

#include "vision/camera.h"
#include "vision/camera_testing.h"
#include "vision/frame_check.h"

namespace bagel::vision {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

CameraOptions Quick() {
  CameraOptions options;
  options.open_timeout = milliseconds(1500);
  options.read_timeout = milliseconds(1000);
  options.first_retry = milliseconds(50);
  options.last_retry = milliseconds(200);
  return options;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

int Listen(uint16_t* port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_EQ(listen(listener, 16), 0);
  EXPECT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  *port = ntohs(address.sin_port);
  return listener;
}

// A Motion-JPEG camera on the loopback address, 25 frames a second.
class MjpegServer {
 public:
  enum Behaviour {
    kGood,
    kSilent,      // accepts and never answers
    kStalls,      // nothing after 12 frames
    kEnds,        // closes after 12 frames
    kGarbage,     // random bytes as frames
    kHalf,        // JPEGs that are cut off
    kMostHalf,    // two of three
    kNotFound,    // 404
    kPassword,    // 401
    kHugeFrames,  // headers that promise 65535x65535 pixels
    kNoise        // no HTTP at all
  };

  explicit MjpegServer(Behaviour behaviour) : behaviour_(behaviour), listener_(Listen(&port_)) {
    for (const char* path : {"demo/pictures/person-01.jpg", "demo/pictures/person-02.jpg"}) {
      jpegs_.push_back(ReadFile(path));
    }
    thread_ = std::thread([this] { Accept(); });
  }
  ~MjpegServer() {
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/video"; }
  void Behave(Behaviour behaviour) { behaviour_ = behaviour; }

 private:
  void Accept() {
    std::vector<std::thread> clients;
    while (!stopping_) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) break;
      clients.emplace_back([this, client] {
        Answer(client);
        close(client);
      });
    }
    for (std::thread& client : clients) client.join();
  }

  static bool Send(int client, const std::string& bytes) {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t step = send(client, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (step <= 0) return false;
      sent += static_cast<size_t>(step);
    }
    return true;
  }

  std::string FrameAt(Behaviour behaviour, int number) const {
    std::string jpeg = jpegs_[static_cast<size_t>(number / 30 % 2)];
    // In an order with which no slow reader keeps step.
    const bool cut =
        behaviour == kHalf || (behaviour == kMostHalf && (number * 2007 >> 8) % 3 != 0);
    if (cut) jpeg.resize(jpeg.size() / 2);
    if (behaviour == kGarbage) {
      for (char& c : jpeg) c = static_cast<char>((&c - jpeg.data()) * 7919 >> 3);
    }
    if (behaviour == kHugeFrames) {
      const size_t size = jpeg.find("\xFF\xC0") + 5;  // height and width in the frame's header
      jpeg.replace(size, 4, "\xFF\xFF\xFF\xFF");
    }
    return jpeg;
  }

  void Answer(int client) {
    const Behaviour behaviour = behaviour_;
    char request[4096];
    if (recv(client, request, sizeof request, 0) <= 0) return;
    if (behaviour == kNotFound) {
      Send(client, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      return;
    }
    if (behaviour == kPassword) {
      Send(client,
           "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"camera\"\r\n"
           "Content-Length: 0\r\nConnection: close\r\n\r\n");
      return;
    }
    if (behaviour == kNoise) {
      Send(client, std::string(100'000, '\x7F'));
      return;
    }
    if (behaviour != kSilent) {
      Send(client,
           "HTTP/1.1 200 OK\r\nConnection: close\r\n"
           "Content-Type: multipart/x-mixed-replace;boundary=frame\r\n\r\n");
    }
    for (int number = 0; !stopping_; ++number) {
      if (behaviour == kEnds && number == 12) return;
      const bool quiet = behaviour == kSilent || (behaviour == kStalls && number >= 12);
      const std::string jpeg = FrameAt(behaviour, number);
      if (!quiet && !Send(client, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: " +
                                      std::to_string(jpeg.size()) + "\r\n\r\n" + jpeg + "\r\n")) {
        return;
      }
      char byte;
      if (quiet && recv(client, &byte, 1, MSG_DONTWAIT) == 0) return;
      std::this_thread::sleep_for(milliseconds(40));
    }
  }

  std::atomic<Behaviour> behaviour_;
  std::atomic<bool> stopping_ = false;
  uint16_t port_ = 0;
  const int listener_;
  std::vector<std::string> jpegs_;
  std::thread thread_;
};

TEST(CameraStreamTest, MotionJpegOverHttp) {
  const MjpegServer server(MjpegServer::kGood);
  const auto camera = Camera::Open(server.url(), Quick());
  const Camera::View view = WaitFor(*camera, State::kOk);
  ASSERT_EQ(view.state, State::kOk) << view.detail;
  EXPECT_EQ(view.frame.bgr.size(), cv::Size(1280, 720));
  EXPECT_THAT(camera->statistics().format, HasSubstr("1280x720"));
}

TEST(CameraStreamTest, CutOffPicturesAreNoFrames) {
  MjpegServer server(MjpegServer::kHalf);
  const auto camera = Camera::Open(server.url(), Quick());
  const Camera::View view = WaitFor(*camera, State::kCameraOffline);
  EXPECT_EQ(view.state, State::kCameraOffline) << StateName(view.state);
  EXPECT_THAT(view.detail, HasSubstr("were broken"));
  EXPECT_EQ(camera->statistics().frames, 0U);
  EXPECT_GE(camera->statistics().broken, 10U);
  server.Behave(MjpegServer::kGood);
  EXPECT_EQ(WaitFor(*camera, State::kOk).state, State::kOk);
}

TEST(CameraStreamTest, CutOffPicturesAmongWholeOnesAreSkippedAndCounted) {
  const MjpegServer server(MjpegServer::kMostHalf);
  const auto camera = Camera::Open(server.url(), Quick());
  ASSERT_EQ(WaitFor(*camera, State::kOk).state, State::kOk);
  const std::vector<cv::Mat> whole = {cv::imread("demo/pictures/person-01.jpg"),
                                      cv::imread("demo/pictures/person-02.jpg")};
  steady_clock::time_point newest{};
  // A busy machine decodes fewer of them.
  for (int i = 0; i < 5 || (i < 100 && camera->statistics().broken < 5); ++i) {
    const Camera::View view = camera->Newest(milliseconds(1000), newest);
    ASSERT_EQ(view.state, State::kOk) << view.detail;
    newest = view.frame.received;
    EXPECT_LE(std::min(cv::norm(view.frame.bgr, whole[0], cv::NORM_INF),
                       cv::norm(view.frame.bgr, whole[1], cv::NORM_INF)),
              12);
  }
  const Camera::Statistics statistics = camera->statistics();
  EXPECT_GE(statistics.broken, 5U);
  EXPECT_EQ(statistics.reconnects, 0U);
}

struct Named {
  const char* name;
  MjpegServer::Behaviour behaviour;
  const char* words;
};

class StreamFaultTest : public testing::TestWithParam<Named> {};

// Each is named in time, and the camera comes back when the server is good again.
TEST_P(StreamFaultTest, IsNamedAndPasses) {
  MjpegServer server(GetParam().behaviour);
  const auto camera = Camera::Open(server.url(), Quick());
  const auto start = steady_clock::now();
  const Camera::View view = WaitFor(*camera, State::kCameraOffline);
  EXPECT_LT(steady_clock::now() - start, milliseconds(6000));
  EXPECT_EQ(view.state, State::kCameraOffline) << StateName(view.state);
  EXPECT_THAT(view.detail, HasSubstr(GetParam().words));
  EXPECT_THAT(view.detail, HasSubstr(server.url()));
  server.Behave(MjpegServer::kGood);
  EXPECT_EQ(WaitFor(*camera, State::kOk).state, State::kOk);
}

INSTANTIATE_TEST_SUITE_P(All, StreamFaultTest,
                         testing::Values(Named{"silent", MjpegServer::kSilent,
                                               "did not answer within 1.5 s"},
                                         Named{"stalls", MjpegServer::kStalls, "any more"},
                                         Named{"ends", MjpegServer::kEnds, "ended"},
                                         Named{"garbage", MjpegServer::kGarbage, ""},
                                         Named{"notfound", MjpegServer::kNotFound, "404"},
                                         Named{"password", MjpegServer::kPassword, "password"},
                                         Named{"hugeframes", MjpegServer::kHugeFrames, ""},
                                         Named{"noise", MjpegServer::kNoise, ""}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(CameraStreamTest, NobodyThereIsSaidAtOnce) {
  const auto camera = Camera::Open("rtsp://me:secret@127.0.0.1:9/live", Quick());
  const Camera::View view = camera->Newest(kPatience);
  EXPECT_EQ(view.state, State::kCameraOffline);
  EXPECT_THAT(view.detail, HasSubstr("refused"));
  EXPECT_THAT(view.detail, testing::Not(HasSubstr("secret")));
}

int CountIn(const char* folder) {
  return static_cast<int>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

int64_t ResidentKilobytes() {
  std::ifstream status("/proc/self/statm");
  int64_t size = 0, resident = 0;
  status >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE) / 1024;
}

// Hours of a bad network in a minute.
TEST(CameraStreamLongTest, ReconnectingLeaksNothing) {
  MjpegServer server(MjpegServer::kEnds);
  CameraOptions options = Quick();
  options.first_retry = options.last_retry = milliseconds(10);
  const auto camera = Camera::Open(server.url(), options);
  const auto reach = [&](uint64_t reconnects) {
    const auto until = steady_clock::now() + std::chrono::seconds(200);
    while (camera->statistics().reconnects < reconnects && steady_clock::now() < until) {
      server.Behave(camera->statistics().reconnects % 3 == 0 ? MjpegServer::kEnds
                                                             : MjpegServer::kNotFound);
      std::this_thread::sleep_for(milliseconds(20));
    }
    EXPECT_GE(camera->statistics().reconnects, reconnects);
  };
  reach(60);
  const int64_t memory = ResidentKilobytes();
  const int descriptors = CountIn("/proc/self/fd");
  const int threads = CountIn("/proc/self/task");
  reach(360);
  // Each moment may hold one connection more than another; the server keeps its threads' handles.
  EXPECT_LE(CountIn("/proc/self/fd"), descriptors + 6);
  EXPECT_LE(CountIn("/proc/self/task"), threads + 8);
  EXPECT_LE(ResidentKilobytes(), memory + 16 * 1024);
  std::printf("after 300 reconnects: %+ld KiB, %+d descriptors, %+d threads\n",
              static_cast<long>(ResidentKilobytes() - memory),
              CountIn("/proc/self/fd") - descriptors, CountIn("/proc/self/task") - threads);
}

// FFmpeg looks at two seconds of an RTSP stream before it is open.
CameraOptions QuickRtsp() {
  CameraOptions options = Quick();
  options.open_timeout = milliseconds(8000);
  options.read_timeout = milliseconds(2000);
  return options;
}

// GStreamer's RTSP server, which plays the drawn pictures.
class RtspServer {
 public:
  explicit RtspServer(uint16_t port) {
    const std::string number = std::to_string(port);
    const char* const arguments[] = {"/usr/bin/python3", "tests/vision/rtsp_server.py",
                                     number.c_str(), nullptr};
    EXPECT_EQ(posix_spawn(&process_, arguments[0], nullptr, nullptr,
                          const_cast<char* const*>(arguments), environ),
              0);
  }
  ~RtspServer() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  void Pause() { kill(process_, SIGSTOP); }
  void Continue() { kill(process_, SIGCONT); }

 private:
  pid_t process_ = 0;
};

TEST(CameraStreamLongTest, RtspIsReadLostAndReadAgain) {
  uint16_t port = 0;
  close(Listen(&port));
  auto server = std::make_unique<RtspServer>(port);
  const auto camera =
      Camera::Open("rtsp://127.0.0.1:" + std::to_string(port) + "/people", QuickRtsp());
  for (int round = 0; round < 3; ++round) {
    Camera::View view = WaitFor(*camera, State::kOk);
    ASSERT_EQ(view.state, State::kOk) << view.detail;
    EXPECT_EQ(view.frame.bgr.size(), cv::Size(1280, 720));
    // Another person after a second.
    const uint64_t first = HashFrame(view.frame.bgr);
    std::this_thread::sleep_for(milliseconds(1500));
    view = camera->Newest(kPatience, view.frame.received);
    EXPECT_EQ(view.state, State::kOk) << view.detail;
    EXPECT_NE(HashFrame(view.frame.bgr), first);
    server.reset();
    view = WaitFor(*camera, State::kCameraOffline);
    EXPECT_EQ(view.state, State::kCameraOffline);
    server = std::make_unique<RtspServer>(port);
  }
}

TEST(CameraStreamLongTest, RtspThatStallsIsNoticed) {
  uint16_t port = 0;
  close(Listen(&port));
  RtspServer server(port);
  const auto camera =
      Camera::Open("rtsp://127.0.0.1:" + std::to_string(port) + "/people", QuickRtsp());
  ASSERT_EQ(WaitFor(*camera, State::kOk).state, State::kOk);
  server.Pause();
  const auto start = steady_clock::now();
  EXPECT_EQ(WaitFor(*camera, State::kCameraOffline).state, State::kCameraOffline);
  EXPECT_LT(steady_clock::now() - start, milliseconds(6000));
  server.Continue();
  EXPECT_EQ(WaitFor(*camera, State::kOk).state, State::kOk);
}

}  // namespace
}  // namespace bagel::vision
