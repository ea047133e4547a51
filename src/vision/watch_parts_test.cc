// The parts of a watch that need no camera: events, the queue, snapshots, the file of cameras.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <mutex>

#include "base/error.h"
#include "http/test_client.h"
#include "vision/describe_queue.h"
#include "vision/event_tracker.h"
#include "vision/snapshots.h"
#include "vision/watch_config.h"

namespace bagel::vision {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using Kind = WatchEvent::Kind;

Motion Moving(double area) {
  Motion motion;
  motion.moving = area > 0;
  motion.area = area;
  return motion;
}

// Feeds a tracker ten frames a second.
class Player {
 public:
  explicit Player(EventOptions options = {}) : tracker(options) {}

  EventTracker::Step Add(double area) {
    Frame frame;
    frame.sequence = ++count_;
    frame.received = start_ + 100ms * count_;
    return tracker.Add(Moving(area), frame);
  }
  // How often each thing happened in `frames` frames.
  std::string Play(double area, int frames) {
    int began = 0, chosen = 0, ended = 0, limited = 0;
    for (int i = 0; i < frames; ++i) {
      const EventTracker::Step step = Add(area);
      began += step.began;
      chosen += step.chosen;
      ended += step.ended;
      limited += step.limited;
    }
    return std::to_string(began) + std::to_string(chosen) + std::to_string(ended) +
           std::to_string(limited);
  }
  uint64_t count() const { return count_; }

  EventTracker tracker;

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  uint64_t count_ = 0;
};

TEST(EventTracker, BeginsChoosesAndEndsOnce) {
  Player player;
  EXPECT_EQ(player.Play(0, 30), "0000");
  EXPECT_EQ(player.Play(0.02, 1), "0000");  // one frame is a flicker
  EXPECT_EQ(player.Play(0, 5), "0000");
  EXPECT_EQ(player.Play(0.02, 10), "1000");
  EXPECT_EQ(player.Play(0.08, 1), "0000");
  const uint64_t best = player.count();
  EXPECT_EQ(player.Play(0.03, 20), "0100");
  EXPECT_EQ(player.tracker.best().sequence, best);
  EXPECT_DOUBLE_EQ(player.tracker.best_motion().area, 0.08);
  EXPECT_EQ(player.Play(0, 49), "0000");
  EXPECT_EQ(player.Play(0, 10), "0010");
  EXPECT_EQ(player.Play(0, 100), "0000");
}

TEST(EventTracker, APauseDoesNotEndAnEvent) {
  Player player;
  EXPECT_EQ(player.Play(0.02, 20), "1100");
  EXPECT_EQ(player.Play(0, 40), "0000");
  EXPECT_EQ(player.Play(0.02, 20), "0000");
  EXPECT_EQ(player.Play(0, 60), "0010");
}

TEST(EventTracker, KeepsTheIntervalAndSaysSoOnce) {
  EventOptions options;
  options.quiet = 1s;
  Player player(options);
  EXPECT_EQ(player.Play(0.02, 2), "1000");
  EXPECT_EQ(player.Play(0, 20), "0110");
  EXPECT_EQ(player.Play(0.02, 60), "0001");
  EXPECT_EQ(player.Play(0.02, 60), "1100");  // ten seconds after the first began
}

TEST(EventTracker, KeepsTheHourlyLimit) {
  EventOptions options;
  options.quiet = options.min_interval = 1s;
  options.max_per_hour = 3;
  Player player(options);
  std::string happened;
  for (int i = 0; i < 5; ++i) {
    happened += player.Play(0.02, 2) + " ";
    happened += player.Play(0, 20) + " ";
  }
  EXPECT_EQ(happened, "1000 0110 1000 0110 1000 0110 0001 0000 0001 0000 ");
  player.Play(0, 36'000);
  EXPECT_EQ(player.Play(0.02, 2), "1000");
}

TEST(EventTracker, AnEndlessEventIsCutAndAnInterruptedOneEnds) {
  Player player;
  EXPECT_EQ(player.Play(0.02, 1'000), "1100");
  EXPECT_EQ(player.Play(0.02, 210), "1010");
  const EventTracker::Step step = player.tracker.Interrupt();
  EXPECT_TRUE(step.chosen);
  EXPECT_TRUE(step.ended);
  EXPECT_FALSE(player.tracker.Interrupt().ended);
}

// Collects what a queue gives back.
struct Collected {
  void Add(WatchEvent event) {
    const std::lock_guard lock(mutex);
    events.push_back(std::move(event));
  }
  std::vector<std::string> Ids(Kind kind) {
    const std::lock_guard lock(mutex);
    std::vector<std::string> ids;
    for (const WatchEvent& event : events) {
      if (event.kind == kind) {
        ids.push_back(event.id);
      }
    }
    return ids;
  }
  std::mutex mutex;
  std::vector<WatchEvent> events;
};

WatchEvent Numbered(int id) {
  WatchEvent event;
  event.id = std::to_string(id);
  return event;
}

TEST(DescribeQueue, DropsTheOldestWhileTheServerIsSlow) {
  Collected collected;
  std::atomic<bool> slow{true};
  std::atomic<int> running{0};
  DescribeOptions options;
  options.size = 2;
  DescribeQueue queue(
      [&](const WatchEvent&, const cv::Mat&, const std::function<bool()>& stop) {
        ++running;
        while (slow && !stop()) {
          std::this_thread::sleep_for(1ms);
        }
        return ModelAnswer{"words", "model", "", 0, 0};
      },
      [&](WatchEvent event) { collected.Add(std::move(event)); }, options);
  queue.Add(Numbered(1), cv::Mat());
  ASSERT_TRUE(http::Eventually([&] { return running == 1; }));
  for (int i = 2; i <= 5; ++i) {
    queue.Add(Numbered(i), cv::Mat());
  }
  EXPECT_THAT(collected.Ids(Kind::kDropped), ElementsAre("2", "3"));
  slow = false;
  ASSERT_TRUE(http::Eventually([&] { return collected.Ids(Kind::kDescription).size() == 3; }));
  EXPECT_THAT(collected.Ids(Kind::kDescription), ElementsAre("1", "4", "5"));
}

TEST(DescribeQueue, WaitsForTheServerAndGivesUpInTheEnd) {
  Collected collected;
  std::atomic<bool> up{false};
  DescribeOptions options;
  options.give_up = 300ms;
  options.first_retry = options.last_retry = 20ms;
  DescribeQueue queue(
      [&](const WatchEvent&, const cv::Mat&, const std::function<bool()>&) -> ModelAnswer {
        if (!up) {
          throw Error(ErrorKind::kUnavailable, "nobody answers");
        }
        return {"words", "model", "", 0, 0};
      },
      [&](WatchEvent event) { collected.Add(std::move(event)); }, options);
  queue.Add(Numbered(1), cv::Mat());
  ASSERT_TRUE(http::Eventually([&] { return collected.Ids(Kind::kFailed).size() == 1; }));
  EXPECT_EQ(collected.events[0].detail, "nobody answers");
  queue.Add(Numbered(2), cv::Mat());
  std::this_thread::sleep_for(50ms);
  up = true;
  ASSERT_TRUE(http::Eventually([&] { return collected.Ids(Kind::kDescription).size() == 1; }));
  EXPECT_THAT(collected.Ids(Kind::kDescription), ElementsAre("2"));
}

TEST(DescribeQueue, AServerThatRefusesIsNotAskedAgain) {
  Collected collected;
  int asked = 0;
  DescribeQueue queue(
      [&](const WatchEvent&, const cv::Mat&, const std::function<bool()>&) -> ModelAnswer {
        ++asked;
        throw Error(ErrorKind::kInvalidArgument, "no picture");
      },
      [&](WatchEvent event) { collected.Add(std::move(event)); });
  queue.Add(Numbered(1), cv::Mat());
  ASSERT_TRUE(http::Eventually([&] { return collected.Ids(Kind::kFailed).size() == 1; }));
  EXPECT_EQ(asked, 1);
}

std::string FreshFolder(const std::string& name) {
  const std::string folder = testing::TempDir() + "sophia_" + name;
  std::filesystem::remove_all(folder);
  return folder;
}

TEST(Snapshots, KeepsTheNewestAndTouchesNothingElse) {
  const std::string folder = FreshFolder("snapshots");
  SnapshotOptions options{folder, 3, std::chrono::hours(1)};
  Snapshots snapshots(options);
  std::ofstream(folder + "/notes.txt") << "mine";
  const auto now = std::filesystem::file_time_type::clock::now();
  for (int i = 0; i < 6; ++i) {
    const std::string path = snapshots.Save("a" + std::to_string(i), "jpeg");
    std::filesystem::last_write_time(path, now - std::chrono::minutes(10 - i));
  }
  std::string path = snapshots.Save("last", "jpeg");
  EXPECT_EQ(path, folder + "/last.jpg");
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename());
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("a4.jpg", "a5.jpg", "last.jpg", "notes.txt"));
  std::filesystem::last_write_time(folder + "/a5.jpg", now - std::chrono::hours(2));
  snapshots.Save("newer", "jpeg");
  EXPECT_FALSE(std::filesystem::exists(folder + "/a5.jpg"));
}

TEST(Snapshots, AFolderThatCannotBeIsAnError) {
  const std::string file = FreshFolder("file");
  std::ofstream(file) << "x";
  EXPECT_THROW(Snapshots({file + "/below"}), Error);
}

std::vector<WatchedCamera> ReadText(const std::string& text) {
  const std::string path = testing::TempDir() + "sophia_watch.json";
  std::ofstream(path) << text;
  return ReadWatchConfig(path, {});
}

TEST(WatchConfig, ReadsCamerasAndZones) {
  const auto cameras = ReadText(R"({"cameras": [
    {"source": "rtsp://a/1"},
    {"name": "door", "source": "demo", "min_area": 0.02, "quiet_s": 2.5, "max_per_hour": 5,
     "zones": [{"name": "path", "points": [[0, 0], [1, 0], [0.5, 1]]}]}]})");
  ASSERT_EQ(cameras.size(), 2U);
  EXPECT_EQ(cameras[0].name, "camera1");
  EXPECT_EQ(cameras[1].name, "door");
  EXPECT_EQ(cameras[1].events.quiet, 2500ms);
  EXPECT_EQ(cameras[1].events.max_per_hour, 5);
  EXPECT_DOUBLE_EQ(cameras[1].motion.min_area, 0.02);
  ASSERT_EQ(cameras[1].zones.size(), 1U);
  EXPECT_EQ(cameras[1].zones[0].points[2], cv::Point2f(0.5F, 1));
}

TEST(WatchConfig, NamesWhatIsWrong) {
  const auto message = [](const std::string& text) -> std::string {
    try {
      ReadText(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message("{"), HasSubstr("sophia_watch.json"));
  EXPECT_THAT(message("[]"), HasSubstr("object"));
  EXPECT_THAT(message(R"({"camera": []})"), HasSubstr("unknown key \"camera\""));
  EXPECT_THAT(message(R"({"cameras": 1})"), HasSubstr("list"));
  EXPECT_THAT(message(R"({"cameras": [{}]})"), HasSubstr("source"));
  EXPECT_THAT(message(R"({"cameras": [{"source": "demo", "name": "a/b"}]})"), HasSubstr("a/b"));
  EXPECT_THAT(message(R"({"cameras": [{"source": "demo", "min_area": 2}]})"),
              HasSubstr("min_area"));
  EXPECT_THAT(
      message(R"({"cameras": [{"source": "demo", "zones": [{"name": "z", "points": [[0,0]]}]}]})"),
      HasSubstr("three points"));
  EXPECT_THAT(message(R"({"cameras": [{"source": "demo", "zones":
                          [{"name": "z", "points": [[0,0],[1,0],[7,1]]}]}]})"),
              HasSubstr("from 0 to 1"));
}

TEST(WatchConfig, CameraOptionsMayHaveNames) {
  EXPECT_EQ(ParseCameraOption("door=rtsp://a/b?c=d", {}, 1).name, "door");
  EXPECT_EQ(ParseCameraOption("door=rtsp://a/b?c=d", {}, 1).source, "rtsp://a/b?c=d");
  EXPECT_EQ(ParseCameraOption("rtsp://a/b?c=d", {}, 3).name, "camera3");
  EXPECT_EQ(ParseCameraOption("rtsp://a/b?c=d", {}, 3).source, "rtsp://a/b?c=d");
  EXPECT_THROW(CheckCameras({}), Error);
  EXPECT_THROW(CheckCameras({ParseCameraOption("a=x", {}, 1), ParseCameraOption("a=y", {}, 2)}),
               Error);
}

}  // namespace
}  // namespace bagel::vision
