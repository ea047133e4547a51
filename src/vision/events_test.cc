#include "vision/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "http/test_client.h"
#include "vision/job_queue.h"

namespace bagel::vision {
namespace {

using namespace std::chrono_literals;
using http::Eventually;
using http::HttpReply;
using testing::HasSubstr;

std::shared_ptr<HttpReply> NewReply(size_t limit = 1 << 20) {
  return std::make_shared<HttpReply>(HttpReply::Frame{}, limit, nullptr);
}

TEST(EventHub, EveryListenerHearsEverything) {
  EventHub hub;
  const auto one = NewReply(), two = NewReply();
  ASSERT_TRUE(hub.Add(one, EventText("camera_state", "{}")));
  hub.Publish("word", "\"a\"");
  ASSERT_TRUE(hub.Add(two));
  hub.Publish("word", "\"b\"");
  const std::string first = one->Take().bytes, second = two->Take().bytes;
  EXPECT_THAT(first, HasSubstr("text/event-stream"));
  EXPECT_THAT(first, HasSubstr("event: camera_state\ndata: {}\n\n"));
  EXPECT_THAT(first, HasSubstr("event: word\nid: 1\ndata: \"a\"\n\n"));
  EXPECT_THAT(first, HasSubstr("event: word\nid: 2\ndata: \"b\"\n\n"));
  EXPECT_THAT(second, testing::Not(HasSubstr("\"a\"")));
  EXPECT_THAT(second, HasSubstr("\"b\""));
  hub.Close();
  EXPECT_TRUE(one->Take().ended);
  EXPECT_FALSE(hub.Add(NewReply()));
}

TEST(EventHub, ASlowListenerIsDroppedAndItsPlaceIsFree) {
  EventHub hub(2);
  const auto slow = NewReply(1000), quick = NewReply(1000);
  ASSERT_TRUE(hub.Add(slow));
  ASSERT_TRUE(hub.Add(quick));
  EXPECT_FALSE(hub.Add(NewReply()));
  for (int i = 0; i < 10; ++i) {
    hub.Publish("word", std::string(300, 'x'));
    quick->Take();
  }
  EXPECT_TRUE(slow->cancelled());
  EXPECT_FALSE(quick->cancelled());
  EXPECT_EQ(hub.listeners(), 1U);
  EXPECT_TRUE(hub.Add(NewReply()));
}

TEST(EventHub, SendsSignsOfLife) {
  EventHub hub(2, 5ms);
  const auto reply = NewReply();
  ASSERT_TRUE(hub.Add(reply));
  std::string text;
  EXPECT_TRUE(Eventually([&] {
    text += reply->Take().bytes;
    return text.find(": keep-alive\n\n") != std::string::npos;
  }));
}

TEST(JobQueue, RunsInOrderAndRefusesBeyondItsLimit) {
  std::atomic<bool> go{false}, one_wanted{true};
  std::atomic<int> done{0};
  JobQueue queue(2);
  const auto always = [] { return true; };
  ASSERT_TRUE(queue.Add(always, [&] {
    while (!go) {
      std::this_thread::sleep_for(1ms);
    }
    ++done;
  }));
  ASSERT_TRUE(Eventually([&] { return queue.running_for().has_value(); }));
  EXPECT_TRUE(queue.Add([&] { return one_wanted.load(); }, [&] { done += 100; }));
  EXPECT_TRUE(queue.Add(always, [&] { ++done; }));
  EXPECT_FALSE(queue.Add(always, [&] { ++done; }));
  // One whose client has gone gives its place away.
  one_wanted = false;
  EXPECT_TRUE(queue.Add(always, [&] { ++done; }));
  EXPECT_EQ(queue.waiting(), 2U);
  go = true;
  EXPECT_TRUE(Eventually([&] { return done == 3; }));
  EXPECT_TRUE(Eventually([&] { return !queue.running_for(); }));
}

}  // namespace
}  // namespace bagel::vision
