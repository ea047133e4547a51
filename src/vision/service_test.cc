// The service over real sockets, with a stand-in model server and a synthetic camera.
#include "vision/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <opencv2/imgcodecs.hpp>

#include "formats/base64.h"
#include "http/test_client.h"
#include "vision/stand_ins.h"

namespace bagel::vision {
namespace {

using namespace std::chrono_literals;
using http::Eventually;
using http::Fetch;
using http::GetText;
using http::PostText;
using http::TestClient;
using http::TestResponse;
using testing::HasSubstr;

// Sees one face in the middle of everything.
struct OneFace : FaceFinder {
  std::vector<Face> Find(const cv::Mat& bgr) override {
    return {{{bgr.cols / 4, bgr.rows / 4, bgr.cols / 2, bgr.rows / 2}, 9}};
  }
};

struct OneCup : ObjectFinder {
  std::vector<Object> Find(const cv::Mat&) override { return {{"cup", 41, 0.75F, {1, 2, 30, 40}}}; }
  std::string Name() const override { return "stand-in"; }
};

// Everything that a service needs.
struct House {
  explicit House(ServiceOptions service_options = {}, const std::string& source = "test:pattern",
                 bool objects = true, const LanguageModel* language = nullptr) {
    ServersOptions servers_options;
    servers_options.total = 20s;
    servers = std::make_unique<Servers>(std::vector{model.server.url()}, servers_options);
    CameraOptions camera_options;
    camera_options.width = 320;
    camera_options.height = 240;
    camera_options.first_retry = camera_options.last_retry = 50ms;
    camera = Camera::Open(source, camera_options);
    looker = std::make_unique<Looker>(faces, objects ? &cups : nullptr, *servers);
    service_options.http.port = 0;
    service_options.http.limits.drain_deadline = 100ms;
    service_options.health_interval = 20ms;
    service = std::make_unique<Service>(
        ServiceParts{*camera, *looker, *servers, triggers, objects ? &cups : nullptr, language},
        service_options);
    port = service->http().port();
  }

  TestResponse Post(std::string_view path, std::string_view body, std::string_view headers = "") {
    return Fetch(port, PostText(path, body, headers));
  }
  TestResponse Get(std::string_view path, std::string_view headers = "") {
    return Fetch(port, GetText(path, headers));
  }

  StandInModel model;
  OneFace faces;
  OneCup cups;
  Triggers triggers;
  std::unique_ptr<Servers> servers;
  std::unique_ptr<Camera> camera;
  std::unique_ptr<Looker> looker;
  std::unique_ptr<Service> service;
  uint16_t port = 0;
};

std::string PngFile(int width, int height) {
  std::vector<uchar> png;
  cv::imencode(".png", cv::Mat(height, width, CV_8UC3, cv::Scalar(10, 90, 200)), png);
  return {png.begin(), png.end()};
}

// Reads the stream until `text` has come, or gives up.
std::string ReadUntil(TestClient& client, const std::string& text) {
  std::string all;
  while (all.find(text) == std::string::npos) {
    const std::string more = client.ReadSome(10s);
    if (more.empty()) {
      break;
    }
    all += more;
  }
  return all;
}

TEST(Service, LooksAndKeepsTheReport) {
  House house;
  EXPECT_EQ(house.Get("/report").status, 404);
  const TestResponse look = house.Post("/look", "");
  ASSERT_EQ(look.status, 200) << look.body;
  const Json report = Json::parse(look.body);
  EXPECT_EQ(report["schema"], "sophia.report/1");
  EXPECT_EQ(report["state"], "ok") << look.body;
  EXPECT_EQ(report["person"], "Relaxed - a red shirt.");
  EXPECT_EQ(report["mood"]["label"], "relaxed");
  EXPECT_EQ(report["objects"][0]["label"], "cup");
  std::this_thread::sleep_for(20ms);
  const TestResponse latest = house.Get("/report");
  ASSERT_EQ(latest.status, 200);
  const Json again = Json::parse(latest.body);
  EXPECT_EQ(again["captured_at"], report["captured_at"]);
  EXPECT_GT(again["age_ms"], report["age_ms"]);
  const Json plain = Json::parse(house.Post("/look", R"({"emotion": false})").body);
  EXPECT_TRUE(plain["mood"].is_null());
}

TEST(Service, StreamsALookAndTellsThoseWhoListen) {
  House house;
  TestClient listener(house.port);
  listener.Send(GetText("/events"));
  std::string events = ReadUntil(listener, "event: camera_state");
  const TestResponse look = house.Post("/look", R"({"stream": true})");
  EXPECT_EQ(look.status, 200);
  EXPECT_TRUE(look.HasHeader("text/event-stream"));
  EXPECT_TRUE(look.complete);
  events += ReadUntil(listener, "event: report");
  for (const char* event : {"look_started", "word", "mood", "objects", "report"}) {
    EXPECT_THAT(look.body, HasSubstr(std::string("event: ") + event + "\ndata: {"));
    EXPECT_THAT(events, HasSubstr(std::string("event: ") + event + "\n"));
  }
  EXPECT_THAT(look.body, HasSubstr("\"text\":\" - a red\""));
}

TEST(Service, SeesPicturesInThreeForms) {
  House house;
  const std::string png = PngFile(64, 48);
  const auto seen = [](const TestResponse& response) {
    EXPECT_EQ(response.status, 200) << response.body;
    return Json::parse(response.body)["frame"]["width"].get<int>();
  };
  EXPECT_EQ(seen(house.Post("/see", png, "Content-Type: image/png\r\n")), 64);
  const std::string base64 = EncodeBase64(std::as_bytes(std::span(png)));
  EXPECT_EQ(seen(house.Post("/see", R"({"image": ")" + base64 + "\"}")), 64);
  EXPECT_EQ(seen(house.Post("/see", R"({"image": "data:image/png;base64,)" + base64 + "\"}")), 64);
  const std::string form =
      "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n" + png +
      "\r\n--b--\r\n";
  EXPECT_EQ(seen(house.Post("/see", form, "Content-Type: multipart/form-data; boundary=b\r\n")),
            64);
  EXPECT_THAT(house.Post("/see?stream=true", png).body, HasSubstr("event: report"));
  // A picture that was sent is not what the camera saw.
  EXPECT_EQ(house.Get("/report").status, 404);
}

TEST(Service, RefusesWhatIsNoPicture) {
  House house;
  const auto refused = [&](std::string_view body, std::string_view headers = "") {
    const TestResponse response = house.Post("/see", body, headers);
    EXPECT_FALSE(Json::parse(response.body)["error"].get<std::string>().empty());
    return response.status;
  };
  EXPECT_EQ(refused(""), 400);
  EXPECT_EQ(refused("hello"), 400);
  EXPECT_EQ(refused("{"), 400);
  EXPECT_EQ(refused("{}"), 400);
  EXPECT_EQ(refused(R"({"image": 5})"), 400);
  EXPECT_EQ(refused(R"({"image": "!"})"), 400);
  EXPECT_EQ(refused(PngFile(8, 8)), 400);
  EXPECT_EQ(refused(PngFile(64, 48).substr(0, 60)), 400);
  EXPECT_EQ(refused("--b--", "Content-Type: multipart/form-data; boundary=b\r\n"), 400);
  EXPECT_EQ(refused(PngFile(5000, 5000)), 413);
  EXPECT_EQ(house.Post("/look", "[]").status, 400);
  EXPECT_EQ(house.Post("/look", R"({"stream": "yes"})").status, 400);
  EXPECT_EQ(house.model.asked, 0);
}

TEST(Service, DetectsForOthers) {
  House house;
  const TestResponse response = house.Post("/detect", PngFile(64, 48));
  ASSERT_EQ(response.status, 200) << response.body;
  const Json found = Json::parse(response.body);
  EXPECT_EQ(found["detector"], "stand-in");
  EXPECT_EQ(found["objects"][0]["label"], "cup");
  EXPECT_EQ(found["objects"][0]["class_id"], 41);
  EXPECT_EQ(found["objects"][0]["box"], Json({1, 2, 30, 40}));
  const auto remote = MakeObjectFinder("hailo:http://127.0.0.1:" + std::to_string(house.port));
  EXPECT_EQ(remote->Find(cv::Mat(48, 64, CV_8UC3, cv::Scalar(9, 90, 200)))[0].label, "cup");
  House without({}, "test:pattern", false);
  EXPECT_EQ(without.Post("/detect", PngFile(64, 48)).status, 501);
}

TEST(Service, SendsTheFrame) {
  House house;
  const TestResponse frame = house.Get("/frame.jpg");
  ASSERT_EQ(frame.status, 200) << frame.body;
  EXPECT_TRUE(frame.HasHeader("image/jpeg"));
  EXPECT_TRUE(frame.HasHeader("X-Sophia-Captured-At: 2"));
  const std::vector<uchar> bytes(frame.body.begin(), frame.body.end());
  EXPECT_EQ(cv::imdecode(bytes, cv::IMREAD_COLOR).cols, 320);
}

TEST(Service, HearsPhrasesThatAskForALook) {
  House house;
  const Json looked = Json::parse(house.Post("/hear", R"({"text": "How do I look?"})").body);
  EXPECT_EQ(looked["looked"], true) << looked;
  EXPECT_EQ(looked["report"]["state"], "ok");
  EXPECT_THAT(looked["answer"].get<std::string>(), HasSubstr("red shirt"));
  const Json other = Json::parse(house.Post("/hear", R"({"text": "What time is it?"})").body);
  EXPECT_EQ(other["looked"], false);
  EXPECT_EQ(other["answer"], "");
  const TestResponse stream = house.Post("/hear", R"({"text": "look at me", "stream": true})");
  EXPECT_THAT(stream.body, HasSubstr("event: answer\n"));
  EXPECT_THAT(stream.body, HasSubstr("event: done\n"));
  EXPECT_EQ(house.Post("/hear", "{}").status, 400);
  EXPECT_EQ(house.Post("/hear", R"({"text": ""})").status, 400);
  EXPECT_EQ(house.Post("/hear", R"({"text": ")" + std::string(5000, 'a') + "\"}").status, 400);
}

// A text model that says how many turns it was given and keeps the last one.
struct StandInTalker {
  StandInTalker() : server(Routes()) {}
  LanguageModel Model() const {
    LanguageModelOptions options;
    options.url = server.url();
    options.model = "talking";
    return LanguageModel(options);
  }
  std::string last_turn() {
    const std::lock_guard lock(mutex);
    return turn;
  }
  http::Router Routes() {
    http::Router router;
    router.Add(
        "POST", "/api/chat", http::Work::kLight,
        [this](const http::HttpRequest& request, const std::shared_ptr<http::HttpReply>& reply) {
          {
            const std::lock_guard lock(mutex);
            turn = Json::parse(request.body)["messages"].back()["content"].get<std::string>();
          }
          reply->Send(200, "application/x-ndjson",
                      "{\"message\":{\"content\":\"You look \"},\"done\":false}\n"
                      "{\"message\":{\"content\":\"well.\"},\"done\":true}\n");
        });
    return router;
  }
  std::mutex mutex;
  std::string turn;
  StandInServer server;
};

TEST(Service, ATextModelAnswersWithTheReportInMind) {
  StandInTalker talker;
  const LanguageModel language = talker.Model();
  House house({}, "test:pattern", true, &language);
  const Json looked = Json::parse(house.Post("/hear", R"({"text": "How do I look?"})").body);
  EXPECT_EQ(looked["looked"], true) << looked;
  EXPECT_EQ(looked["answer"], "You look well.");
  EXPECT_EQ(looked["report"]["mood"]["label"], "relaxed");
  EXPECT_THAT(talker.last_turn(), HasSubstr("Mood: relaxed"));
  EXPECT_THAT(talker.last_turn(), HasSubstr("How do I look?"));
  // What asks for no look gets none.
  const int asked = house.model.asked;
  const Json other = Json::parse(house.Post("/hear", R"({"text": "What time is it?"})").body);
  EXPECT_EQ(other["looked"], false);
  EXPECT_EQ(other["report"], nullptr);
  EXPECT_EQ(other["answer"], "You look well.");
  EXPECT_EQ(talker.last_turn(), "What time is it?");
  EXPECT_EQ(house.model.asked, asked);
  // Word by word.
  const TestResponse stream = house.Post("/hear", R"({"text": "look at me", "stream": true})");
  EXPECT_THAT(stream.body, HasSubstr("\"text\":\"You look \""));
  EXPECT_THAT(stream.body, HasSubstr("\"text\":\"well.\""));
  EXPECT_THAT(stream.body, HasSubstr("event: done\n"));
  // The text model is away, then back.
  talker.server.Stop();
  const TestResponse away = house.Post("/hear", R"({"text": "What time is it?"})");
  EXPECT_EQ(away.status, 503);
  EXPECT_THAT(away.body, HasSubstr("does not answer"));
  talker.server.Start();
  EXPECT_EQ(house.Post("/hear", R"({"text": "What time is it?"})").status, 200);
}

TEST(Service, PrivacyStopsEverythingAtOnce) {
  House house;
  ASSERT_EQ(house.Post("/look", "").status, 200);
  house.model.hold = true;
  TestClient waiting(house.port);
  waiting.Send(PostText("/look", ""));
  const int asked = house.model.asked;
  ASSERT_TRUE(Eventually([&] { return house.model.asked > asked; }));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(house.Post("/privacy", R"({"on": true})").status, 200);
  EXPECT_EQ(Json::parse(waiting.Read().body)["state"], "privacy");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
  EXPECT_TRUE(Eventually([&] { return house.model.cancelled > 0; }));
  EXPECT_EQ(Json::parse(house.Post("/look", "").body)["state"], "privacy");
  EXPECT_EQ(house.Get("/frame.jpg").status, 503);
  EXPECT_EQ(house.Get("/report").status, 503);
  EXPECT_EQ(Json::parse(house.Get("/privacy").body)["on"], true);
  EXPECT_EQ(house.Post("/privacy", "{}").status, 400);
  house.model.hold = false;
  EXPECT_EQ(house.Post("/privacy", R"({"on": false})").status, 200);
  EXPECT_EQ(house.Get("/report").status, 404);
  EXPECT_EQ(Json::parse(house.Post("/look", "").body)["state"], "ok");
}

TEST(Service, OneLookAtATimeFewWaitAndWhoLeavesIsForgotten) {
  ServiceOptions options;
  options.max_waiting = 1;
  House house(options);
  house.model.hold = true;
  TestClient second(house.port);
  {
    TestClient first(house.port);
    first.Send(PostText("/look", ""));
    ASSERT_TRUE(Eventually([&] { return house.model.asked == 2; }));  // person and mood
    second.Send(PostText("/look", ""));
    ASSERT_TRUE(Eventually([&] {
      return house.Get("/metrics").body.find("looks_waiting{camera=\"test:pattern\"} 1") !=
             std::string::npos;
    }));
    const TestResponse third = house.Post("/look", "");
    EXPECT_EQ(third.status, 503);
    EXPECT_TRUE(third.HasHeader("Retry-After: 1"));
    EXPECT_EQ(house.model.asked, 2);
  }
  // The first has left: its questions are dropped and the second has its turn.
  ASSERT_TRUE(Eventually([&] { return house.model.asked == 4; }));
  EXPECT_TRUE(Eventually([&] { return house.model.cancelled == 2; }));
  house.model.hold = false;
  EXPECT_EQ(Json::parse(second.Read().body)["state"], "ok");
  EXPECT_THAT(house.Get("/metrics").body, HasSubstr("sophia_cancelled_total"));
}

TEST(Service, ASlowListenerBlocksNobody) {
  ServiceOptions options;
  options.max_listeners = 2;
  options.http.limits.unsent_bytes = 4096;
  House house(options);
  TestClient slow(house.port, 1024), quick(house.port);
  slow.Send(GetText("/events"));
  quick.Send(GetText("/events"));
  ReadUntil(quick, "camera_state");
  ASSERT_TRUE(Eventually([&] {
    return house.Get("/metrics").body.find("sophia_event_listeners{camera=\"test:pattern\"} 2") !=
           std::string::npos;
  }));
  EXPECT_EQ(house.Get("/events").status, 503);
  EXPECT_EQ(house.Post("/look", "").status, 200);
  EXPECT_THAT(ReadUntil(quick, "event: report"), HasSubstr("red"));
}

TEST(Service, RecoversWhenTheServerComesBack) {
  House house;
  ASSERT_TRUE(Eventually([&] { return house.Get("/readyz").status == 200; }));
  house.model.server.Stop();
  EXPECT_EQ(Json::parse(house.Post("/look", "").body)["state"], "server_offline");
  ASSERT_TRUE(Eventually([&] { return house.Get("/readyz").status == 503; }));
  EXPECT_EQ(house.Get("/healthz").status, 200);
  house.model.server.Start();
  EXPECT_EQ(Json::parse(house.Post("/look", "").body)["state"], "ok");
  EXPECT_TRUE(Eventually([&] { return house.Get("/readyz").status == 200; }));
}

TEST(Service, ACameraThatIsNotThereIsAStateAndNoError) {
  House house({}, "http://127.0.0.1:9/none.mjpg");
  const Json report = Json::parse(house.Post("/look", "").body);
  EXPECT_EQ(report["state"], "camera_offline") << report;
  EXPECT_FALSE(report["detail"].get<std::string>().empty());
  EXPECT_EQ(house.Get("/frame.jpg").status, 503);
  EXPECT_EQ(house.Get("/readyz").status, 503);
  EXPECT_THAT(house.Get("/metrics").body, HasSubstr("sophia_camera_up{camera="));
}

TEST(Service, AsksForItsKey) {
  ServiceOptions options;
  options.http.guard.api_key = "secret";
  House house(options);
  for (const char* path : {"/report", "/frame.jpg", "/events", "/metrics", "/readyz", "/nothing"}) {
    const TestResponse response = house.Get(path);
    EXPECT_EQ(response.status, 401) << path;
    EXPECT_TRUE(response.HasHeader("WWW-Authenticate: Bearer"));
  }
  EXPECT_EQ(house.Post("/look", "").status, 401);
  EXPECT_EQ(house.Get("/healthz").status, 200);
  EXPECT_EQ(house.Get("/metrics", "Authorization: Bearer secrex\r\n").status, 401);
  EXPECT_EQ(house.Get("/metrics", "Authorization: Bearer secret\r\n").status, 200);
  EXPECT_EQ(house
                .Get("/metrics",
                     "Authorization: Bearer secret\r\n"
                     "Authorization: Bearer x\r\n")
                .status,
            401);
}

TEST(Service, RefusesForeignPages) {
  House house;
  EXPECT_EQ(house.Get("/frame.jpg", "Origin: http://evil.example\r\n").status, 403);
  EXPECT_EQ(Fetch(house.port, "GET /report HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 403);
}

TEST(Service, CountsForPrometheus) {
  ServiceOptions options;
  std::atomic<int> alive{0};
  options.on_alive = [&] { ++alive; };
  House house(options);
  house.Post("/look", "");
  const std::string text = house.Get("/metrics").body;
  for (const char* line :
       {"sophia_camera_up{camera=\"test:pattern\"} 1", "sophia_frame_age_seconds{",
        "sophia_frames_total{", "sophia_reconnects_total{",
        "sophia_faces{camera=\"test:pattern\"} 1", "sophia_report_seconds_bucket{",
        "sophia_report_seconds_count{camera=\"test:pattern\"} 1",
        "sophia_reports_total{state=\"ok\"} 1", "sophia_server_up{server="}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_GT(alive, 0);
}

}  // namespace
}  // namespace bagel::vision
