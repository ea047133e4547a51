// An engine for tests: says what it is told to say, at the pace it is told.
#ifndef BAGEL_API_FAKE_ENGINE_H_
#define BAGEL_API_FAKE_ENGINE_H_

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace bagel::api {

struct FakeScript {
  std::vector<TextPiece> pieces = {{" A red", false}, {" ball.", false}, {" \n", false}};
  int repeat = 1;
  std::chrono::milliseconds pause{0};           // before each piece
  std::optional<Error> refusal = std::nullopt;  // thrown by Submit
  std::optional<Error> failure = std::nullopt;  // sent after the pieces instead of a result
};

class FakeEngine : public Engine {
 public:
  FakeEngine() {
    info_.name = "Demo-Model";
    info_.parameters = 14'700'000'000;
    info_.bytes = 29'000'000'000;
    info_.quantization = "BF16";
    info_.context_tokens = 8192;
    info_.hidden_size = 3584;
    info_.digest = std::string(64, 'a');
    info_.modified_unix_ns = 1'700'000'000'123'456'789;
    info_.picture = PictureSize{256, 192};
  }
  ~FakeEngine() override {
    stopping_ = true;
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }

  void Play(FakeScript script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
  }
  PictureRequest last_picture() {
    const std::lock_guard lock(mutex_);
    return last_picture_;
  }
  TextRequest last() {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  int submitted() const { return submitted_; }
  int ended() const { return ended_; }
  int cancelled() const { return cancelled_; }

  std::shared_ptr<Job> Submit(TextRequest request, EventHandler handler) override {
    const std::lock_guard lock(mutex_);
    if (script_.refusal) {
      throw *script_.refusal;
    }
    ++submitted_;
    last_ = std::move(request);
    auto job = std::make_shared<Job>();
    threads_.emplace_back([this, job, script = script_, handler = std::move(handler)] {
      Perform(script, *job, handler);
      ++ended_;
    });
    return job;
  }

  std::shared_ptr<Job> SubmitPicture(PictureRequest request, PictureHandler handler) override {
    const std::lock_guard lock(mutex_);
    if (script_.refusal) {
      throw *script_.refusal;
    }
    CheckFlowSettings(request.flow);
    ++submitted_;
    auto job = std::make_shared<Job>();
    threads_.emplace_back([this, job, request, script = script_, handler = std::move(handler)] {
      PerformPicture(script, request, *job, handler);
      ++ended_;
    });
    last_picture_ = std::move(request);
    return job;
  }

  const ModelInfo& info() const override { return info_; }

 private:
  void Perform(const FakeScript& script, const Job& job, const EventHandler& handler) {
    TextResult result;
    for (int i = 0; i < script.repeat && !stopping_; ++i) {
      for (const TextPiece& piece : script.pieces) {
        std::this_thread::sleep_for(script.pause);
        if (job.cancelled() || stopping_) {
          ++cancelled_;
          result.finish_reason = FinishReason::kCancelled;
          handler(result);
          return;
        }
        (piece.thinking ? result.thinking : result.text) += piece.text;
        handler(piece);
      }
    }
    if (script.failure) {
      handler(*script.failure);
      return;
    }
    result.ids = {1, 2, 3};
    result.prompt_tokens = 70;
    result.image_tokens = 66;
    result.generated_tokens = 4;
    result.prefill_ms = 12.5;
    result.decode_ms = 7;
    handler(result);
  }

  void PerformPicture(const FakeScript& script, const PictureRequest& request, Job& job,
                      const PictureHandler& handler) {
    PictureResult result;
    result.flow = request.flow;
    result.seed = request.seed.value_or(99);
    const PictureSize size = request.size.value_or(*info_.picture);
    const int moves = request.flow.steps - 1;
    for (int done = 0; done <= moves; ++done) {
      std::this_thread::sleep_for(script.pause);
      if (job.cancelled() || stopping_) {
        ++cancelled_;
        result.finish_reason = FinishReason::kCancelled;
        handler(result);
        return;
      }
      PictureProgress progress{size, done, moves, {}};
      if (done > 0 && job.TakePreviewWish()) {
        progress.preview = {8, 8, std::vector<uint8_t>(8 * 8 * 3, 128)};
      }
      handler(progress);
    }
    if (script.failure) {
      handler(*script.failure);
      return;
    }
    result.picture.width = size.width;
    result.picture.height = size.height;
    result.picture.rgb.resize(
        static_cast<size_t>(size.width) * static_cast<size_t>(size.height) * 3, 77);
    result.plan = request.think ? "a plan" : "";
    result.prompt_tokens = 11;
    result.latent_tokens = 192;
    handler(result);
  }

  ModelInfo info_;
  std::mutex mutex_;
  FakeScript script_;
  TextRequest last_;
  PictureRequest last_picture_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> submitted_{0};
  std::atomic<int> ended_{0};
  std::atomic<int> cancelled_{0};
};

}  // namespace bagel::api

#endif  // BAGEL_API_FAKE_ENGINE_H_
