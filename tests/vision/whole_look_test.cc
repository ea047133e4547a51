// From a camera to a report, with the demo model behind a real socket: what is drawn is what is
// told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "api/serve.h"
#include "engine/engine.h"
#include "formats/json.h"
#include "vision/camera.h"
#include "vision/faces.h"
#include "vision/looker.h"
#include "vision/servers.h"

namespace bagel::vision {
namespace {

using testing::HasSubstr;

constexpr std::chrono::seconds kPatience{10};

struct Score {
  int people = 0;
  int faces = 0;
  int moods = 0;
  int clothes = 0;
};

class WholeLookTest : public testing::Test {
 protected:
  WholeLookTest() {
    EngineOptions options;
    options.model = "demo/model";
    engine_ = Engine::Load(options);
    http::ServerOptions http;
    http.port = 0;
    service_ = std::make_unique<api::Service>(*engine_, api::OllamaOptions(), std::move(http));
    servers_ = std::make_unique<Servers>(
        std::vector{"http://127.0.0.1:" + std::to_string(service_->http().port())},
        ServersOptions());
    faces_ = MakeFaceFinder("haar");
  }

  Report Look(const std::string& source) {
    const auto camera = Camera::Open(source);
    return Looker(*faces_, nullptr, *servers_).Look(camera->Newest(kPatience), camera->name());
  }

  // Looks at the drawn people from `first` to `last`.
  Score LookAtPeople(int first, int last) {
    const Json labels = ReadJsonFile("demo/pictures/labels.json");
    Score score;
    for (int i = first; i <= last; ++i) {
      char name[32];
      std::snprintf(name, sizeof(name), "person-%02d.jpg", i);
      const Json& label = labels.at(name);
      const Report report = Look("demo:" + std::to_string(i));
      std::string clothes = label["clothing"]["colour"];
      clothes.append(" ").append(label["clothing"]["type"].get<std::string>());
      ++score.people;
      score.faces += report.state == State::kOk;
      const bool mood = report.mood.label == label["mood"];
      const bool clothing = report.person.find(" " + clothes) != std::string::npos;
      score.moods += mood;
      score.clothes += clothing;
      if (!mood || !clothing)
        std::printf("%s: drawn %s in a %s; %s: %s Mood: %s\n", name,
                    label["mood"].get<std::string>().c_str(), clothes.c_str(),
                    StateName(report.state), report.person.c_str(), report.mood.label.c_str());
    }
    return score;
  }

  std::unique_ptr<Engine> engine_;
  std::unique_ptr<api::Service> service_;
  std::unique_ptr<Servers> servers_;
  std::unique_ptr<FaceFinder> faces_;
};

TEST_F(WholeLookTest, SixPeople) {
  const Score score = LookAtPeople(1, 6);
  EXPECT_EQ(score.faces, 6);
  EXPECT_GE(score.moods, 5);
  EXPECT_GE(score.clothes, 5);
}

TEST_F(WholeLookTest, FiftyPeople) {
  const Score score = LookAtPeople(1, 50);
  std::printf("%d people: %d faces, %d moods and %d clothes right\n", score.people, score.faces,
              score.moods, score.clothes);
  EXPECT_EQ(score.faces, score.people);
  EXPECT_GE(score.moods * 100, score.people * 95);
  EXPECT_GE(score.clothes * 100, score.people * 95);
}

TEST_F(WholeLookTest, NobodyIsInTheDriveway) {
  const Report report = Look("demo:51");
  EXPECT_EQ(report.state, State::kNoFace);
  EXPECT_FALSE(report.person.empty());
  EXPECT_EQ(report.mood.label, "");
  EXPECT_THAT(ToContext(report), HasSubstr("Not known: mood, objects\n"));
}

TEST_F(WholeLookTest, ACoveredLensIsNotDescribed) {
  const Report report = Look("test:pattern?fault=black");
  EXPECT_EQ(report.state, State::kDark);
  EXPECT_EQ(report.person, "");
}

}  // namespace
}  // namespace bagel::vision
