// The engine as those see it who let it draw, on the small checkpoint of the recorded runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "tests/golden.h"
#include "tests/requests.h"

namespace bagel {
namespace {

EngineOptions Options() {
  return {.model = kGoldenModel, .device = "cpu", .threads = 2, .exact = true};
}

PictureRequest Request(const std::string& prompt, int steps = 4) {
  return DrawingOf(prompt, {128, 144}, steps);
}

TextRequest Question() { return QuestionFor(8); }

class PictureEngineTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { engine_ = Engine::Load(Options()).release(); }
  static void TearDownTestSuite() { delete engine_; }

  static std::string ErrorOf(const PictureRequest& request) {
    try {
      engine_->SubmitPicture(request, [](const PictureEvent&) {});
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  static Engine* engine_;
};
Engine* PictureEngineTest::engine_ = nullptr;

TEST(UnderstandingAloneTest, AnswersAndRefusesToDraw) {
  EngineOptions options = Options();
  options.drawing = DrawingHalf::kOff;
  const std::unique_ptr<Engine> engine = Engine::Load(options);
  EXPECT_FALSE(engine->info().picture);
  EXPECT_EQ(engine->Run(Question(), nullptr).generated_tokens, 8);
  try {
    engine->SubmitPicture(Request("A red apple"), [](const PictureEvent&) {});
    FAIL() << "drew";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    EXPECT_EQ(std::string(error.what()),
              std::string(kGoldenModel) + " was loaded without its drawing half");
  }
}

TEST_F(PictureEngineTest, TellsOfEveryMoveAndThenGivesThePicture) {
  std::vector<int> moves;
  PictureRequest request = Request("A red apple");
  request.size = PictureSize{130, 139};
  const PictureResult result = engine_->Draw(request, [&](const PictureProgress& progress) {
    moves.push_back(progress.moves_done);
    EXPECT_EQ(progress.moves, 3);
    EXPECT_EQ(progress.size, (PictureSize{128, 144}));
    EXPECT_EQ(progress.preview.width, 0);
  });
  EXPECT_EQ(moves, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(result.picture.width, 128);
  EXPECT_EQ(result.picture.height, 144);
  EXPECT_EQ(result.finish_reason, FinishReason::kStop);
  EXPECT_EQ(result.seed, 7u);
  EXPECT_EQ(result.latent_tokens, 8 * 9);
  EXPECT_EQ(result.forwards, CountForwards(request.flow, false));
}

TEST_F(PictureEngineTest, TheSameSeedGivesTheSamePicture) {
  const PictureResult first = engine_->Draw(Request("A red apple"), nullptr);
  EXPECT_EQ(engine_->Draw(Request("A red apple"), nullptr).picture.rgb, first.picture.rgb);
  PictureRequest other = Request("A red apple");
  other.seed = 8;
  EXPECT_NE(engine_->Draw(other, nullptr).picture.rgb, first.picture.rgb);
  other.seed.reset();
  const PictureResult random = engine_->Draw(other, nullptr);
  other.seed = random.seed;
  EXPECT_EQ(engine_->Draw(other, nullptr).picture.rgb, random.picture.rgb);
}

TEST_F(PictureEngineTest, WhatToStayAwayFromCounts) {
  PictureRequest request = Request("A red apple");
  const PictureResult plain = engine_->Draw(request, nullptr);
  request.negative = "green";
  EXPECT_NE(engine_->Draw(request, nullptr).picture.rgb, plain.picture.rgb);
  request.flow.text_scale = 1;
  const PictureResult unguided = engine_->Draw(request, nullptr);
  EXPECT_EQ(unguided.forwards, 3);
  request.negative.clear();
  EXPECT_EQ(engine_->Draw(request, nullptr).picture.rgb, unguided.picture.rgb);
}

TEST_F(PictureEngineTest, AnEditTakesItsSizeFromItsLastInput) {
  PictureRequest request = Request("Combine them", 3);
  request.flow = EditFlowSettings();
  request.flow.steps = 3;
  request.parts.insert(request.parts.begin(), {Picture{60, 60, std::vector<uint8_t>(10800, 90)},
                                               Picture{50, 40, std::vector<uint8_t>(6000, 10)}});
  const PictureResult result = engine_->Draw(request, nullptr);
  EXPECT_EQ(result.picture.width, 640);
  EXPECT_EQ(result.picture.height, 512);
  EXPECT_EQ(result.forwards, 6);
}

TEST_F(PictureEngineTest, PreviewsComeWhenAskedFor) {
  std::promise<Picture> preview;
  std::promise<std::shared_ptr<Job>> job;
  auto wait_for_job = job.get_future().share();
  bool first = true;
  job.set_value(engine_->SubmitPicture(Request("A red apple"), [&](const PictureEvent& event) {
    const auto* progress = std::get_if<PictureProgress>(&event);
    if (progress && first) {
      first = false;
      wait_for_job.get()->AskPreview();
    } else if (progress && progress->preview.width > 0) {
      preview.set_value(progress->preview);
    }
  }));
  const Picture picture = preview.get_future().get();
  EXPECT_EQ(picture.width * 9, picture.height * 8);
  engine_->Draw(Request("waits for the other"), nullptr);
}

TEST_F(PictureEngineTest, CancelStopsAtTheNextStep) {
  std::promise<std::shared_ptr<Job>> job;
  auto wait_for_job = job.get_future().share();
  std::promise<FinishReason> ended;
  std::atomic<int> moves{0};
  job.set_value(engine_->SubmitPicture(Request("A red apple", 500), [&](const PictureEvent& event) {
    if (const auto* progress = std::get_if<PictureProgress>(&event)) {
      moves = progress->moves_done;
      if (progress->moves_done == 2) wait_for_job.get()->Cancel();
    } else if (const auto* result = std::get_if<PictureResult>(&event)) {
      EXPECT_TRUE(result->picture.rgb.empty());
      ended.set_value(result->finish_reason);
    }
  }));
  EXPECT_EQ(ended.get_future().get(), FinishReason::kCancelled);
  EXPECT_EQ(moves, 2);
  EXPECT_EQ(engine_->Draw(Request("another"), nullptr).finish_reason, FinishReason::kStop);
}

TEST_F(PictureEngineTest, BadRequestsAreRefusedAtOnce) {
  PictureRequest request = Request("");
  EXPECT_EQ(ErrorOf(request), "the prompt is empty");
  EXPECT_EQ(ErrorOf(Request(" \n")), "the prompt is empty");
  for (const PictureSize size : {PictureSize{127, 256}, {256, 0}, {641, 256}, {-16, 256}}) {
    request = Request("x");
    request.size = size;
    EXPECT_EQ(ErrorOf(request), "a picture of " + std::to_string(size.width) + "x" +
                                    std::to_string(size.height) +
                                    " is outside the sides of 128 to 640 that this model draws");
  }
  EXPECT_EQ(ErrorOf(Request("x", 0)), "steps is 0, expected 2 to 1000");
  EXPECT_EQ(ErrorOf(Request("x", 10000)), "steps is 10000, expected 2 to 1000");
  request = Request("x");
  request.flow.text_scale = std::nan("");
  EXPECT_EQ(ErrorOf(request), "cfg text scale is nan, expected 0 to 100");
  request = Request("x");
  request.parts.insert(request.parts.begin(), Picture{41, 1, std::vector<uint8_t>(123)});
  EXPECT_EQ(ErrorOf(request), "an input picture of 41x1 is longer than 40:1");
  request.parts[0] = Picture{400, 20, std::vector<uint8_t>(24000)};
  EXPECT_NE(ErrorOf(request).find("the input picture's resized "), std::string::npos)
      << ErrorOf(request);
}

TEST_F(PictureEngineTest, TooManyWordsAreAnErrorOfTheirOwn) {
  std::string words;
  for (int i = 0; i < 9000; ++i) words += " word";
  try {
    engine_->Draw(Request(words), nullptr);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("the context holds 8192"), std::string::npos);
  }
}

// A text that arrives while a picture is drawn says its first word before the second move that
// ends after its arrival: it waits for the forward that runs, and for no other.
TEST_F(PictureEngineTest, ATextWaitsForOneForwardAtMost) {
  const TextResult alone = engine_->Run(Question(), nullptr);
  std::mutex mutex;
  std::string order;
  const auto note = [&](char c) {
    const std::lock_guard lock(mutex);
    order += c;
  };
  std::promise<void> third_move, ended;
  PictureRequest request = Request("A red apple", 12);
  request.size = PictureSize{512, 512};
  engine_->SubmitPicture(request, [&](const PictureEvent& event) {
    if (const auto* progress = std::get_if<PictureProgress>(&event)) {
      note('m');
      if (progress->moves_done == 3) third_move.set_value();
    } else {
      ended.set_value();
    }
  });
  third_move.get_future().wait();
  note('q');
  std::promise<TextResult> answered;
  engine_->Submit(Question(), [&](const Event& event) {
    if (std::holds_alternative<TextPiece>(event)) note('w');
    if (const auto* result = std::get_if<TextResult>(&event)) answered.set_value(*result);
  });
  EXPECT_EQ(answered.get_future().get().ids, alone.ids);
  ended.get_future().wait();
  const size_t question = order.find('q'), word = order.find('w');
  const auto moves = std::count(order.begin() + static_cast<std::ptrdiff_t>(question),
                                order.begin() + static_cast<std::ptrdiff_t>(word), 'm');
  EXPECT_LE(moves, 1) << order;
}

TEST(PictureEngineLimitsTest, DestructionAnswersEveryone) {
  std::atomic<int> answered{0};
  {
    const std::unique_ptr<Engine> engine = Engine::Load(Options());
    for (int i = 0; i < 5; ++i)
      engine->SubmitPicture(Request("A red apple", 1000), [&](const PictureEvent& event) {
        if (!std::holds_alternative<PictureProgress>(event)) ++answered;
      });
  }
  EXPECT_EQ(answered, 5);
}

TEST(PictureEngineLimitsTest, ACheckpointWithoutTheDrawingHalfSaysSo) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(testing::TempDir()) / "without-an-autoencoder";
  fs::remove_all(folder);
  fs::copy("demo/model", folder);
  fs::remove(folder / "ae.safetensors");
  EngineOptions options = Options();
  options.model = folder;
  const std::unique_ptr<Engine> engine = Engine::Load(options);
  fs::remove_all(folder);
  EXPECT_FALSE(engine->info().picture);
  try {
    engine->Draw(Request("x"), nullptr);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    EXPECT_NE(std::string(error.what()).find("ae.safetensors"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace bagel
