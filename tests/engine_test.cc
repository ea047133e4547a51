// The engine as its callers see it, on the small checkpoint of the recorded runs.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "formats/safetensors.h"
#include "tests/golden.h"

namespace bagel {
namespace {

EngineOptions Options() {
  return {.model = kGoldenModel, .device = "cpu", .threads = 2, .exact = true};
}

TextRequest Request(const std::string& text, int num_predict = 23) {
  TextRequest request;
  request.parts = {text};
  request.sampling.temperature = 0;
  request.num_predict = num_predict;
  return request;
}

std::vector<int32_t> GoldenIds(const std::string& name) {
  const SafetensorsFile file("tests/golden/understand/" + name + ".safetensors");
  const std::vector<int32_t> ids = Values<int32_t>(file.tensors().at("ids"));
  return {ids.begin() + 1, ids.end()};  // without the start token
}

class EngineTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { engine_ = Engine::Load(Options()).release(); }
  static void TearDownTestSuite() { delete engine_; }
  static Engine* engine_;
};
Engine* EngineTest::engine_ = nullptr;

TEST_F(EngineTest, GreedyTextsAreTheRecordedOnes) {
  EXPECT_EQ(engine_->Run(Request("Hello, who are you?"), nullptr).ids, GoldenIds("text_only"));
  TextRequest astronaut = Request("Describe this image.");
  astronaut.parts.insert(astronaut.parts.begin(), ReadPicture("tests/golden/images/astronaut.png"));
  const TextResult result = engine_->Run(astronaut, nullptr);
  EXPECT_EQ(result.ids, GoldenIds("astronaut"));
  EXPECT_EQ(result.image_tokens, 1371);
  EXPECT_EQ(result.prompt_tokens, 1371 + 13 + 1);
  EXPECT_EQ(result.generated_tokens, 23);
  EXPECT_EQ(result.finish_reason, FinishReason::kLength);
  TextRequest coffee = Request("What is on the table?");
  coffee.parts.insert(coffee.parts.begin(), ReadPicture("tests/golden/images/coffee.png"));
  coffee.think = true;
  EXPECT_EQ(engine_->Run(coffee, nullptr).ids, GoldenIds("coffee_think"));
}

TEST_F(EngineTest, PiecesAddUpToTheText) {
  std::string streamed;
  const TextResult result = engine_->Run(Request("Hello, who are you?"),
                                         [&](const TextPiece& piece) { streamed += piece.text; });
  EXPECT_EQ(streamed, result.text);
  EXPECT_FALSE(streamed.empty());
}

TEST_F(EngineTest, RequestsDecodedTogetherGiveWhatEachGivesAlone) {
  std::vector<std::string> prompts;
  for (int i = 0; i < 9; ++i) prompts.push_back("Question number " + std::to_string(i));
  std::vector<std::vector<int32_t>> alone;
  for (const std::string& prompt : prompts)
    alone.push_back(engine_->Run(Request(prompt), nullptr).ids);
  std::vector<std::future<TextResult>> together;
  for (const std::string& prompt : prompts)
    together.push_back(std::async(std::launch::async,
                                  [&prompt] { return engine_->Run(Request(prompt), nullptr); }));
  for (size_t i = 0; i < prompts.size(); ++i) EXPECT_EQ(together[i].get().ids, alone[i]) << i;
}

TEST_F(EngineTest, TheSameSeedGivesTheSameText) {
  TextRequest request = Request("Tell me a story.");
  request.sampling.temperature = 2;
  request.sampling.top_k = 0;
  request.sampling.top_p = 1;
  request.seed = 5;
  const TextResult first = engine_->Run(request, nullptr);
  EXPECT_EQ(first.seed, 5u);
  EXPECT_EQ(engine_->Run(request, nullptr).ids, first.ids);
  request.seed = 6;
  EXPECT_NE(engine_->Run(request, nullptr).ids, first.ids);
  request.seed.reset();
  const TextResult random = engine_->Run(request, nullptr);
  request.seed = random.seed;
  EXPECT_EQ(engine_->Run(request, nullptr).ids, random.ids);
}

TEST_F(EngineTest, StopStringsEndTheTextAndAreNotPartOfIt) {
  const std::string text = engine_->Run(Request("Hello, who are you?"), nullptr).text;
  const std::string stop = text.substr(text.size() / 2, 3);
  TextRequest request = Request("Hello, who are you?");
  request.stop = {stop};
  const TextResult stopped = engine_->Run(request, nullptr);
  EXPECT_EQ(stopped.text, text.substr(0, text.find(stop)));
  EXPECT_EQ(stopped.finish_reason, FinishReason::kStop);
}

TEST_F(EngineTest, SpecialTokensInATextArePlainText) {
  const int64_t plain = engine_->Run(Request("a", 1), nullptr).prompt_tokens;
  const int64_t spelled = engine_->Run(Request("<|im_end|>", 1), nullptr).prompt_tokens;
  EXPECT_GT(spelled, plain);  // as one special token it would have been as many
}

TEST_F(EngineTest, NoTokensAskedForGivesNone) {
  const TextResult result = engine_->Run(Request("Hello", 0), nullptr);
  EXPECT_TRUE(result.ids.empty());
  EXPECT_EQ(result.finish_reason, FinishReason::kLength);
}

TEST_F(EngineTest, BadRequestsAreRefusedAtOnce) {
  EXPECT_THROW(engine_->Submit({}, [](const Event&) {}), Error);
  TextRequest request = Request("x");
  request.num_predict = -2;
  EXPECT_THROW(engine_->Submit(request, [](const Event&) {}), Error);
  request = Request("x");
  request.sampling.top_p = 7;
  EXPECT_THROW(engine_->Submit(request, [](const Event&) {}), Error);
  request = Request("x");
  request.stop = {""};
  EXPECT_THROW(engine_->Submit(request, [](const Event&) {}), Error);
  request = Request("x");
  request.parts.emplace_back(Picture{});
  EXPECT_THROW(engine_->Submit(request, [](const Event&) {}), Error);
}

TEST_F(EngineTest, AHandlerThatThrowsEndsItsOwnRequestOnly) {
  engine_->Submit(Request("x", -1), [](const Event&) { throw std::runtime_error("gone"); });
  EXPECT_EQ(engine_->Run(Request("Hello, who are you?"), nullptr).ids, GoldenIds("text_only"));
}

TEST(EngineLimitsTest, ContextAndCancelAndQueue) {
  EngineOptions options = Options();
  options.context_tokens = 64;
  options.max_sessions = 1;
  options.max_queue = 1;
  const std::unique_ptr<Engine> engine = Engine::Load(options);
  const TextResult full = engine->Run(Request("Hello", -1), nullptr);
  EXPECT_EQ(full.finish_reason, FinishReason::kLength);
  EXPECT_LE(full.prompt_tokens + full.generated_tokens, 64);
  try {
    engine->Run(Request(std::string(300, 'x')), nullptr);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("context holds 64"), std::string::npos)
        << error.what();
  }

  // One request runs and blocks in its handler, one waits, the third is refused.
  std::promise<void> entered, release;
  std::promise<FinishReason> ended;
  std::shared_ptr<Job> job;
  bool first = true;
  job = engine->Submit(Request("Hello", -1), [&](const Event& event) {
    if (first) {
      first = false;
      entered.set_value();
      release.get_future().wait();
    }
    if (const auto* result = std::get_if<TextResult>(&event))
      ended.set_value(result->finish_reason);
  });
  entered.get_future().wait();
  engine->Submit(Request("waits"), [](const Event&) {});
  try {
    engine->Submit(Request("refused"), [](const Event&) {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnavailable);
  }
  job->Cancel();
  release.set_value();
  EXPECT_EQ(ended.get_future().get(), FinishReason::kCancelled);
}

TEST(EngineLimitsTest, DestructionAnswersEveryone) {
  std::atomic<int> answered{0};
  {
    const std::unique_ptr<Engine> engine = Engine::Load(Options());
    for (int i = 0; i < 20; ++i)
      engine->Submit(Request("Hello", -1), [&](const Event& event) {
        if (!std::holds_alternative<TextPiece>(event)) ++answered;
      });
  }
  EXPECT_EQ(answered, 20);
}

TEST(EngineLoadTest, ErrorsNameWhatIsWrong) {
  EngineOptions options = Options();
  options.model = "tests/golden/no-such-folder";
  EXPECT_THROW(Engine::Load(options), Error);
  options = Options();
  options.device = "abacus";
  EXPECT_THROW(Engine::Load(options), Error);
  options = Options();
  options.context_tokens = 1 << 30;
  EXPECT_THROW(Engine::Load(options), Error);
}

// The worker calls it while it idles and between the layers of a step, at the interval and no more.
TEST(Heartbeat, BeatsIdleAndBusy) {
  std::atomic<int> beats{0};
  std::atomic<bool> worker_only{true};
  std::thread::id worker;
  EngineOptions options = Options();
  options.heartbeat = [&] {
    if (beats == 0) worker = std::this_thread::get_id();
    worker_only = worker_only && std::this_thread::get_id() == worker;
    ++beats;
  };
  options.heartbeat_interval = std::chrono::milliseconds(10);
  const auto begin = std::chrono::steady_clock::now();
  {
    const std::unique_ptr<Engine> engine = Engine::Load(options);
    while (beats < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const int before = beats;
    TextRequest request = Request("Describe this image.");
    request.parts.insert(request.parts.begin(), ReadPicture("tests/golden/images/astronaut.png"));
    engine->Run(request, nullptr);
    EXPECT_GT(beats, before);
  }
  const auto elapsed = std::chrono::steady_clock::now() - begin;
  EXPECT_LE(beats, elapsed / options.heartbeat_interval + 1);
  EXPECT_TRUE(worker_only);
}

}  // namespace
}  // namespace bagel
