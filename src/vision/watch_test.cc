// A whole watch: network cameras and a model server that go away and come back.
#include "vision/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "http/test_client.h"
#include "vision/http_client.h"
#include "vision/looker.h"
#include "vision/stand_ins.h"
#include "vision/watch_metrics.h"

namespace bagel::vision {
namespace {

using namespace std::chrono_literals;
using http::Eventually;
using Kind = WatchEvent::Kind;

// Keeps what is told.
struct Ear : EventOutput {
  struct Heard {
    void Add(const WatchEvent& event) {
      const std::lock_guard lock(mutex);
      events.push_back(event);
      events.back().jpeg.reset();
    }
    // How many events of a kind (and state) one camera had.
    int Count(const std::string& camera, Kind kind, const std::string& state = "") {
      const std::lock_guard lock(mutex);
      int count = 0;
      for (const WatchEvent& event : events) {
        count += event.camera == camera && event.kind == kind && event.state == state;
      }
      return count;
    }
    std::mutex mutex;
    std::vector<WatchEvent> events;
  };
  explicit Ear(Heard& to) : heard(to) {}
  void Write(const WatchEvent& event, const std::function<bool()>&) override { heard.Add(event); }
  std::string Name() const override { return "ear"; }
  Heard& heard;
};

WatchedCamera Quick(const std::string& name, const std::string& source) {
  WatchedCamera camera;
  camera.name = name;
  camera.source = source;
  camera.motion.width = 160;
  camera.events.choose = 200ms;
  camera.events.quiet = 300ms;
  camera.events.min_interval = 0ms;
  camera.events.max_per_hour = 100'000;
  return camera;
}

WatchOptions QuickOptions() {
  WatchOptions options;
  options.camera.read_timeout = 500ms;
  options.camera.open_timeout = 1000ms;
  options.camera.first_retry = options.camera.last_retry = 100ms;
  options.describe.first_retry = options.describe.last_retry = 50ms;
  options.describe.give_up = 20s;
  return options;
}

Watch::Describe AskModel(Servers& servers) {
  return [&servers](const WatchedCamera&, const cv::Mat& bgr, const std::function<bool()>& stop) {
    return DescribeScene(servers, bgr, nullptr, stop);
  };
}

long ResidentKib() {
  std::ifstream file("/proc/self/statm");
  long pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE) / 1024;
}

int Threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

TEST(Watch, OneDescriptionForEachEvent) {
  const std::string folder = testing::TempDir() + "sophia_watch_snapshots";
  std::filesystem::remove_all(folder);
  StandInModel model;
  StandInCamera door, yard;
  Servers servers({model.server.url()}, {});
  WatchOptions options = QuickOptions();
  options.cameras = {Quick("door", door.source()), Quick("yard", yard.source())};
  options.snapshots.folder = folder;
  Ear::Heard heard;
  Watch watch(options, AskModel(servers));
  watch.AddOutput(std::make_unique<Ear>(heard), {});
  watch.Start();
  ASSERT_TRUE(Eventually([&] { return heard.Count("door", Kind::kCameraState, "ok") == 1; }));
  std::this_thread::sleep_for(1500ms);
  EXPECT_EQ(watch.counts().motion, 0U);
  door.moving = true;
  ASSERT_TRUE(Eventually([&] { return heard.Count("door", Kind::kDescription) == 1; }));
  std::this_thread::sleep_for(500ms);
  door.moving = false;
  ASSERT_TRUE(Eventually([&] { return heard.Count("door", Kind::kEnd) == 1; }));
  EXPECT_EQ(heard.Count("door", Kind::kMotion), 1);
  EXPECT_EQ(heard.Count("yard", Kind::kMotion), 0);
  EXPECT_EQ(model.asked, 1);
  const std::lock_guard lock(heard.mutex);
  const auto described = std::find_if(heard.events.begin(), heard.events.end(),
                                      [](auto& e) { return e.kind == Kind::kDescription; });
  EXPECT_EQ(described->text, "Relaxed - a red shirt.");
  EXPECT_EQ(described->snapshot, folder + "/" + described->id + ".jpg");
  EXPECT_FALSE(cv::imread(described->snapshot).empty());
  EXPECT_GT(described->motion.area, 0.02);
}

TEST(Watch, CountsForPrometheus) {
  StandInModel model;
  StandInCamera door;
  Servers servers({model.server.url(), "http://127.0.0.1:1"}, {});
  WatchOptions options = QuickOptions();
  options.cameras = {Quick("door", door.source()), Quick("yard", "http://127.0.0.1:1/")};
  WatchMetrics metrics;
  Watch watch(options, AskModel(servers));
  watch.AddOutput(metrics.Output(), {});
  watch.AddOutput(MakeWebhook("http://127.0.0.1:1/"), {.tries = 1});
  watch.Start();
  const auto http = ServeMetrics("127.0.0.1", 0, metrics, watch, servers);
  HttpCall call;
  call.url = "http://127.0.0.1:" + std::to_string(http->port()) + "/metrics";
  const auto says = [&](const std::string& line) {
    return Eventually([&] { return Send(call).body.find("\n" + line) != std::string::npos; });
  };
  EXPECT_TRUE(says("sophia_camera_up{camera=\"door\"} 1\n"));
  door.moving = true;
  EXPECT_TRUE(says("sophia_events_total{camera=\"door\",kind=\"description\"} 1\n"));
  EXPECT_TRUE(says("sophia_description_seconds_count{camera=\"door\"} 1\n"));
  EXPECT_TRUE(says("sophia_camera_up{camera=\"yard\"} 0\n"));
  EXPECT_TRUE(says("sophia_frame_age_seconds{camera=\"yard\"} Nan\n"));
  EXPECT_TRUE(says("sophia_reconnects_total{camera=\"yard\"} "));
  EXPECT_TRUE(says("sophia_server_up{server=\"http://127.0.0.1:1\"} 0\n"));
  EXPECT_TRUE(says("sophia_server_up{server=\"" + model.server.url() + "\"} 1\n"));
  EXPECT_TRUE(says("sophia_lost_events_total{output=\"metrics\"} 0\n"));
  EXPECT_TRUE(says("sophia_lost_events_total{output=\"http://127.0.0.1:1/\"} "));
}

TEST(Watch, ASwitchedOffCameraSeesNothing) {
  StandInModel model;
  StandInCamera door;
  Servers servers({model.server.url()}, {});
  WatchOptions options = QuickOptions();
  options.cameras = {Quick("door", door.source())};
  Ear::Heard heard;
  Watch watch(options, AskModel(servers));
  watch.AddOutput(std::make_unique<Ear>(heard), {});
  watch.Start();
  ASSERT_TRUE(Eventually([&] { return heard.Count("door", Kind::kCameraState, "ok") == 1; }));
  watch.Switch("door", false);
  watch.Switch("window", false);
  ASSERT_TRUE(Eventually([&] { return heard.Count("door", Kind::kCameraState, "privacy") == 1; }));
  door.moving = true;
  std::this_thread::sleep_for(500ms);
  EXPECT_EQ(heard.Count("door", Kind::kMotion), 0);
  door.moving = false;
  watch.Switch("door", true);
  EXPECT_TRUE(Eventually([&] { return heard.Count("door", Kind::kCameraState, "ok") == 2; }));
}

// Rounds of: motion; the stream is cut and resumed; the server is gone during an event and comes
// back. Every recovery must be seen, and neither memory nor threads may grow.
void Endure(std::chrono::seconds duration, long allowed_kib) {
  StandInModel model;
  StandInCamera door;
  Servers servers({model.server.url()}, {});
  WatchOptions options = QuickOptions();
  options.cameras = {Quick("door", door.source())};
  Ear::Heard heard;
  Watch watch(options, AskModel(servers));
  watch.AddOutput(std::make_unique<Ear>(heard), {});
  watch.Start();
  const auto ok = [&] { return heard.Count("door", Kind::kCameraState, "ok"); };
  const auto moves = [&](int described) {
    door.moving = true;
    const bool came =
        Eventually([&] { return heard.Count("door", Kind::kDescription) > described; });
    door.moving = false;
    const int motions = heard.Count("door", Kind::kMotion);
    return came && Eventually([&] { return heard.Count("door", Kind::kEnd) >= motions; });
  };
  ASSERT_TRUE(Eventually([&] { return ok() == 1; }));
  std::this_thread::sleep_for(1s);
  long resident = 0;
  int threads = 0, rounds = 0;
  const auto end = std::chrono::steady_clock::now() + duration;
  for (; rounds < 2 || std::chrono::steady_clock::now() < end; ++rounds) {
    ASSERT_TRUE(moves(heard.Count("door", Kind::kDescription))) << "round " << rounds;
    // The stream is cut.
    const int before = ok();
    door.server.Stop();
    ASSERT_TRUE(Eventually(
        [&] { return heard.Count("door", Kind::kCameraState, "camera_offline") > rounds; }));
    door.server.Start();
    ASSERT_TRUE(Eventually([&] { return ok() > before; })) << "round " << rounds;
    std::this_thread::sleep_for(800ms);
    // The server is away when something happens.
    const int described = heard.Count("door", Kind::kDescription);
    model.server.Stop();
    door.moving = true;
    ASSERT_TRUE(Eventually([&] { return heard.Count("door", Kind::kMotion) > described; }));
    std::this_thread::sleep_for(400ms);
    door.moving = false;
    EXPECT_EQ(heard.Count("door", Kind::kDescription), described);
    model.server.Start();
    ASSERT_TRUE(Eventually([&] { return heard.Count("door", Kind::kDescription) > described; }))
        << "round " << rounds;
    std::this_thread::sleep_for(400ms);
    if (rounds == 1) {
      resident = ResidentKib();
      threads = Threads();
    }
  }
  EXPECT_EQ(watch.counts().failed + watch.counts().dropped, 0U);
  EXPECT_EQ(watch.cameras()["door"].state, State::kOk);
  std::cout << rounds << " rounds, " << resident << " -> " << ResidentKib() << " KiB, " << threads
            << " -> " << Threads() << " threads, " << watch.counts().described << " events\n";
  EXPECT_LE(ResidentKib(), resident + allowed_kib);
  EXPECT_LE(Threads(), threads + 1);
}

TEST(Watch, EnduresCutsAndAbsences) { Endure(3s, 40 << 10); }

TEST(Watch, EnduresForMinutesLong) { Endure(180s, 20 << 10); }

}  // namespace
}  // namespace bagel::vision
