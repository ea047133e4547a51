// A look alone: what is asked, with which pictures, and what becomes of the answers.
#include "vision/looker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <span>

#include "base/error.h"
#include "formats/base64.h"
#include "vision/stand_ins.h"

namespace bagel::vision {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using std::chrono::steady_clock;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;
using testing::Not;

const cv::Size kFrame(640, 480);
const cv::Rect kFace(400, 60, 100, 100);
const cv::Scalar kFaceColour(30, 60, 220);

// Keeps what it is asked; words about the person come in two pieces, the mood in one. With
// `together` it answers nobody before both have asked.
class AskedServer {
 public:
  AskedServer() : server(Routes()) {}

  struct Asked {
    json body;
    cv::Mat picture;
    bool mood() const {
      return body["prompt"].get<std::string>().find("PRIMARY") != std::string::npos;
    }
  };
  std::vector<Asked> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  std::atomic<bool> together{false};
  std::atomic<bool> hold{false};
  std::atomic<int> status{200};

 private:
  using Reply = std::shared_ptr<http::HttpReply>;
  http::Router Routes() {
    http::Router router;
    router.Add("GET", "/api/tags", http::Work::kLight,
               [](const http::HttpRequest&, const Reply& reply) {
                 reply->Send(200, "application/json", R"({"models":[{"name":"seeing:latest"}]})");
               });
    router.Add("POST", "/api/generate", http::Work::kHeavy,
               [this](const http::HttpRequest& request, const Reply& reply) {
                 Answer(Note(json::parse(request.body)), *reply);
               });
    return router;
  }

  Asked Note(json body) {
    const std::vector<std::byte> bytes = DecodeBase64(body["images"][0].get<std::string>());
    const cv::Mat file(1, static_cast<int>(bytes.size()), CV_8UC1,
                       const_cast<std::byte*>(bytes.data()));
    Asked asked{std::move(body), cv::imdecode(file, cv::IMREAD_COLOR)};
    const std::lock_guard lock(mutex_);
    asked_.push_back(asked);
    return asked;
  }

  void Answer(const Asked& question, http::HttpReply& reply) {
    const auto until = steady_clock::now() + 10s;
    while (steady_clock::now() < until && !reply.cancelled() &&
           (hold || (together && asked().size() < 2))) {
      std::this_thread::sleep_for(2ms);
    }
    if (status != 200 || (together && asked().size() < 2)) {
      return reply.Send(status == 200 ? 500 : status.load(), "application/json",
                        R"({"error":"not now"})");
    }
    reply.Send(200, "application/x-ndjson",
               question.mood() ? "{\"response\":\"Sad - wet eyes.\",\"done\":true}\n"
                               : "{\"response\":\"A red\",\"done\":false}\n"
                                 "{\"response\":\" hat.\",\"done\":true}\n");
  }

  std::mutex mutex_;
  std::vector<Asked> asked_;

 public:
  StandInServer server;
};

struct TheseFaces : FaceFinder {
  std::vector<Face> Find(const cv::Mat&) override { return faces; }
  std::vector<Face> faces = {{{20, 20, 80, 80}, 4}, {kFace, 9}};
};

struct TheseObjects : ObjectFinder {
  std::vector<Object> Find(const cv::Mat&) override {
    if (broken) throw Error(ErrorKind::kUnavailable, "the detector is gone");
    return {{"cup", 41, 0.75F, {1, 2, 30, 40}}};
  }
  std::string Name() const override { return "these"; }
  bool broken = false;
};

Camera::View View() {
  Camera::View view;
  view.state = State::kOk;
  view.frame.bgr = cv::Mat(kFrame, CV_8UC3, cv::Scalar::all(120));
  view.frame.bgr(FaceCrop(kFace, kFrame)).setTo(kFaceColour);
  view.frame.received = steady_clock::now() - 70ms;
  view.frame.captured_at = std::chrono::system_clock::now() - 70ms;
  return view;
}

class LookerTest : public testing::Test {
 protected:
  Report Look(const LookOptions& options = {}, const LookEvents& events = {},
              const std::function<bool()>& stop = nullptr) {
    return looker_.Look(View(), "door", options, events, stop);
  }

  AskedServer server_;
  Servers servers_{{server_.server.url()}, {}};
  TheseFaces faces_;
  TheseObjects objects_;
  Looker looker_{faces_, &objects_, servers_};
};

TEST_F(LookerTest, AsksBothQuestionsAtOnceEachWithItsPicture) {
  server_.together = true;
  const Report report = Look();
  ASSERT_EQ(report.state, State::kOk) << report.detail;
  EXPECT_EQ(report.person, "A red hat.");
  EXPECT_EQ(report.mood.label, "sad");
  EXPECT_EQ(report.mood.reason, "wet eyes.");
  EXPECT_EQ(report.model, "seeing:latest");
  EXPECT_EQ(report.main_face, 1U);
  ASSERT_EQ(server_.asked().size(), 2U);
  for (const AskedServer::Asked& asked : server_.asked()) {
    const json& options = asked.body["options"];
    EXPECT_EQ(options["temperature"], asked.mood() ? 0.2 : 0.3);
    if (!asked.mood()) {
      EXPECT_EQ(options["num_predict"], 150);
      EXPECT_EQ(asked.picture.size(), kFrame);
      continue;
    }
    // 40 % on each side: 400 - 40 to 500 + 40, and 60 - 40 to 160 + 40; nothing but the face.
    EXPECT_EQ(asked.picture.size(), cv::Size(180, 180));
    EXPECT_LT(cv::norm(asked.picture - kFaceColour, cv::NORM_INF), 12);
  }
}

TEST_F(LookerTest, SaysWhenTheFrameWasTakenAndHowLongEachPartTook) {
  const Report report = Look();
  EXPECT_GE(report.age, 70ms);
  EXPECT_LT(report.age, 2s);
  EXPECT_TRUE(report.captured_at);
  EXPECT_EQ(report.frame_size, kFrame);
  for (const char* part : {"faces", "person", "mood", "objects"}) {
    ASSERT_THAT(report.timings_ms, Contains(Key(part)));
    EXPECT_LE(report.timings_ms.at(part), report.timings_ms.at("total")) << part;
  }
}

TEST_F(LookerTest, TellsPartsAsTheyCome) {
  std::vector<std::string> told;
  LookEvents events;
  events.faces = [&](const Report& report) {
    told.push_back("faces " + std::to_string(report.faces.size()));
  };
  events.person_words = [&](std::string_view words) { told.emplace_back(words); };
  events.mood = [&](const Mood& mood) { told.push_back(mood.label); };
  events.objects = [&](const std::vector<Object>& objects) { told.push_back(objects[0].label); };
  Look({}, events);
  ASSERT_EQ(told.size(), 5U);
  EXPECT_EQ(told[0], "faces 2");
  for (const char* part : {"A red", " hat.", "sad", "cup"}) EXPECT_THAT(told, Contains(part));
}

TEST_F(LookerTest, WithoutAFaceNobodyIsAskedForAMood) {
  faces_.faces.clear();
  const Report report = Look();
  EXPECT_EQ(report.state, State::kNoFace);
  EXPECT_EQ(report.person, "A red hat.");
  EXPECT_EQ(report.mood.label, "");
  EXPECT_EQ(server_.asked().size(), 1U);
  EXPECT_THAT(report.timings_ms, Not(Contains(Key("mood"))));
}

TEST_F(LookerTest, AsksOnlyWhatIsWanted) {
  LookOptions options;
  options.mood = false;
  Look(options);
  ASSERT_EQ(server_.asked().size(), 1U);
  EXPECT_FALSE(server_.asked()[0].mood());
  options = {};
  options.person = false;
  const Report report = Look(options);
  ASSERT_EQ(server_.asked().size(), 2U);
  EXPECT_TRUE(server_.asked()[1].mood());
  EXPECT_EQ(report.person, "");
  EXPECT_EQ(report.mood.label, "sad");
}

TEST_F(LookerTest, AnUnusableFrameIsAStateAndNotDescribed) {
  for (const State state :
       {State::kStarting, State::kDark, State::kFrozen, State::kNoSignal, State::kBlurred,
        State::kStale, State::kCameraBusy, State::kCameraOffline, State::kPrivacy}) {
    const Report report = looker_.Look({state, {}, "why"}, "door");
    EXPECT_EQ(report.state, state);
    EXPECT_EQ(report.detail, "why");
    EXPECT_EQ(report.person, "");
  }
  EXPECT_EQ(server_.asked().size(), 0U);
}

TEST_F(LookerTest, AServerThatRefusesIsAStateWithItsReason) {
  server_.status = 503;
  const Report report = Look();
  EXPECT_EQ(report.state, State::kServerOffline);
  EXPECT_THAT(report.detail, HasSubstr("not now"));
  EXPECT_EQ(report.faces.size(), 2U);
  server_.status = 200;
  EXPECT_EQ(Look().state, State::kOk);
}

TEST_F(LookerTest, WithoutItsObjectsTheReportStands) {
  objects_.broken = true;
  const Report report = Look();
  EXPECT_EQ(report.state, State::kOk);
  EXPECT_FALSE(report.objects_asked);
  EXPECT_EQ(report.detail, "the detector is gone");
  EXPECT_EQ(report.person, "A red hat.");
}

TEST_F(LookerTest, ACancelledLookEndsAtOnce) {
  server_.hold = true;
  const auto begin = steady_clock::now();
  const auto stop = [&] { return server_.asked().size() == 2; };
  try {
    Look({}, {}, stop);
    ADD_FAILURE() << "not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
  EXPECT_LT(steady_clock::now() - begin, 3s);
  server_.hold = false;
  EXPECT_EQ(Look().state, State::kOk);
}

}  // namespace
}  // namespace bagel::vision
