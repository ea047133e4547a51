#include "vision/watch_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "vision/frame.h"

namespace bagel::vision {
namespace {

using Kind = WatchEvent::Kind;
using nlohmann::json;

// Every key that a line has is described, and every key that the schema wants is there.
TEST(WatchEventTest, JsonIsWhatTheSchemaSays) {
  std::ifstream file("share/sophia/event.schema.json");
  const json schema = json::parse(file);
  EXPECT_EQ(schema["properties"]["schema"]["const"], kWatchSchema);
  WatchEvent event;
  event.id = "door-1";
  event.camera = "door";
  event.state = StateName(State::kDark);
  event.motion.area = 0.5;
  event.snapshot = "snapshots/door-1.jpg";
  event.text = "A parcel.";
  event.model = "bagel-7b-mot";
  event.detail = "Words.";
  const json& kinds = schema["properties"]["event"]["enum"];
  for (size_t i = 0; i < kinds.size(); ++i) {
    event.kind = static_cast<Kind>(i);
    const json line = json::parse(ToJson(event));
    EXPECT_EQ(line["event"], kinds[i]);
    for (const char* part : {"", event.kind == Kind::kCameraState ? "then" : "else"}) {
      const json& wanted = *part == 0 ? schema["required"] : schema[part]["required"];
      for (const json& key : wanted) EXPECT_TRUE(line.contains(key)) << key;
    }
    for (const auto& [key, value] : line.items())
      EXPECT_TRUE(schema["properties"].contains(key)) << key;
  }
  EXPECT_STREQ(KindName(static_cast<Kind>(kinds.size())), "");
  EXPECT_THAT(schema["properties"]["state"]["enum"], testing::Contains(event.state));
}

}  // namespace
}  // namespace bagel::vision
