#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <future>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "base/thread_pool.h"
#include "engine/checkpoint_identity.h"
#include "engine/deliver.h"
#include "engine/devices.h"
#include "engine/picture_session.h"
#include "engine/scheduler.h"
#include "engine/session.h"
#include "engine/text_steps.h"
#include "model/bagel.h"
#include "model/weights.h"

namespace bagel {
namespace {

constexpr int64_t kDefaultContextTokens = 8192;

int64_t ContextTokens(const EngineOptions& options, const LlmConfig& llm) {
  if (options.context_tokens == 0) return std::min(kDefaultContextTokens, llm.max_positions);
  if (options.context_tokens < 16 || options.context_tokens > llm.max_positions)
    throw Error(ErrorKind::kInvalidArgument,
                "the context of " + std::to_string(options.context_tokens) +
                    " tokens is outside 16 to " + std::to_string(llm.max_positions) +
                    ", the model's limit");
  return options.context_tokens;
}

// A picture is prepared in a millisecond or two by so many: more would only be woken.
int PreparationThreads(int threads) {
  return std::min(8, threads == 0 ? ThreadPool::DefaultThreads() : threads);
}

class TextEngine final : public Engine {
 public:
  explicit TextEngine(const EngineOptions& options)
      : options_(options),
        load_started_(Clock::now()),
        config_(LoadBagelConfig(options.model)),
        context_tokens_(ContextTokens(options, config_.llm)),
        tokenizer_(Tokenizer::Load(options.model)),
        protocol_(ProtocolIds::From(tokenizer_)),
        ops_(MakeDevice(options.device, options.threads, options.exact, options.gpu_profile,
                        options.kv_cache)),
        weights_(options.model, config_, *ops_, options.drawing, WorkBytes()),
        pool_(*ops_, config_.llm, PoolPages()),
        model_(*ops_, config_, weights_.weights(), {protocol_.vision_start, protocol_.vision_end},
               LargestStep()),
        preparation_pool_(PreparationThreads(options.threads)),
        steps_(model_, pool_, tokenizer_.size(), preparation_pool_, preparation_mutex_) {
    if (tokenizer_.size() > config_.llm.vocabulary)
      throw Error(ErrorKind::kCorrupt, options.model.string() + ": the tokenizer has " +
                                           std::to_string(tokenizer_.size()) + " ids, the model " +
                                           std::to_string(config_.llm.vocabulary) + " rows");
    FillInfo();
    worker_ = std::thread([this] { Work(); });
  }

  ~TextEngine() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    worker_.join();
  }

  std::shared_ptr<Job> Submit(TextRequest request, EventHandler handler) override {
    if (request.parts.empty())
      throw Error(ErrorKind::kInvalidArgument, "the request has neither text nor picture");
    if (request.num_predict < -1)
      throw Error(ErrorKind::kInvalidArgument, "option \"num_predict\" is " +
                                                   std::to_string(request.num_predict) +
                                                   ", expected -1 or more");
    CheckSamplingOptions(request.sampling);
    static_cast<void>(StopStrings(request.stop));
    QueuedRequest queued{std::move(request), std::move(handler), std::make_shared<Job>(),
                         Clock::now()};
    PrepareImages(queued);
    std::shared_ptr<Job> job = queued.job;
    {
      std::lock_guard lock(mutex_);
      CheckRoom();
      queue_.push_back(std::move(queued));
    }
    wake_.notify_all();
    return job;
  }

  std::shared_ptr<Job> SubmitPicture(PictureRequest request, PictureHandler handler) override {
    if (!weights_.drawing_missing().empty())
      throw Error(ErrorKind::kUnsupported, weights_.drawing_missing());
    CheckPictureRequest(request, config_);
    auto job = std::make_shared<Job>();
    if (!request.seed) request.seed = std::random_device{}();
    {
      std::lock_guard lock(mutex_);
      CheckRoom();
      pictures_.push_back({std::move(request), std::move(handler), job, Clock::now()});
    }
    wake_.notify_all();
    return job;
  }

  const ModelInfo& info() const override { return info_; }

 private:
  // Runs on the caller's thread, so that neither this request waits for the one that runs nor the
  // other way round.
  void PrepareImages(QueuedRequest& queued) {
    try {
      for (Part& part : queued.request.parts) {
        if (auto* picture = std::get_if<Picture>(&part)) {
          std::lock_guard lock(preparation_mutex_);
          queued.images.push_back(PrepareImage(*picture, config_, &preparation_pool_));
          *picture = {};
        }
      }
    } catch (const std::bad_alloc&) {
      throw Error(ErrorKind::kOutOfMemory, "no memory to prepare the request's pictures");
    }
  }

  // Throws kUnavailable unless one more request may wait.
  void CheckRoom() const {
    if (stopping_) throw Error(ErrorKind::kUnavailable, "the server is shutting down");
    if (queue_.size() + pictures_.size() >= static_cast<size_t>(options_.max_queue))
      throw Error(ErrorKind::kUnavailable,
                  "server busy, please try again.  maximum pending requests exceeded");
  }

  // Room for the texts' contexts, and for a picture's: the full one, and two that share most of it.
  int64_t PoolPages() const {
    const int64_t session = (context_tokens_ + kKvPageTokens - 1) / kKvPageTokens;
    if (!weights_.drawing_missing().empty()) return options_.max_sessions * session;
    constexpr int64_t kPartlyFilled = 8;
    const int64_t pictures = (MostPictureTokens(config_) + kKvPageTokens - 1) / kKvPageTokens;
    return (options_.max_sessions + 2) * session + pictures + kPartlyFilled;
  }

  // Memory of the device that is needed beside the weights before the first request: workspace, the
  // first pages of keys and values, and what the device takes itself (a weight unpacked for
  // cuBLAS).
  size_t WorkBytes() const {
    constexpr size_t kDevicesOwn = size_t{130} << 20;
    return Bagel::WorkspaceBytes(*ops_, config_, LargestStep()) +
           KvPool::FirstBytes(config_.llm, ops_->KvType()) + kDevicesOwn;
  }

  int64_t LargestStep() const {
    return std::max<int64_t>(config_.MaxImageRows(), kPrefillChunkTokens);
  }

  void FillInfo() {
    info_.name = config_.name;
    info_.device = ops_->Name();
    info_.parameters = weights_.parameters();
    for (const auto& [name, entry] : weights_.checkpoint().tensors())
      info_.bytes += static_cast<int64_t>(entry.data.size());
    info_.quantization = WeightFormatName(weights_.weights().layers[0].und.gate.format);
    info_.context_tokens = context_tokens_;
    info_.hidden_size = config_.llm.hidden;
    info_.modified_unix_ns = ModifiedUnixNanoseconds(weights_.checkpoint().files()[0].path());
    info_.digest = CheckpointDigest(weights_.checkpoint());
    if (weights_.drawing_missing().empty()) info_.picture = DrawnSize({}, config_);
    info_.load_ms = std::chrono::duration<double, std::milli>(Clock::now() - load_started_).count();
  }

  // The worker: takes in what waits, chooses whose turn it is, works, hands out what came of it.
  void Work() {
    std::vector<std::unique_ptr<Session>> sessions;
    bool last_was_prefill = false;
    TurnState turn;
    while (TakeIn(sessions)) {
      Beat();
      EndCancelled(sessions);
      turn.text_waits = !sessions.empty();
      turn.text_before_first =
          std::any_of(sessions.begin(), sessions.end(),
                      [](const auto& session) { return session->before_first_word(); });
      const Clock::time_point begin = Clock::now();
      const auto elapsed_ms = [&] {
        return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
      };
      if (picture_ && IsPicturesTurn(turn)) {
        RunPicture();
        turn.picture_ms = elapsed_ms();
        turn.text_ms = 0;
      } else if (!sessions.empty()) {
        RunTexts(sessions, last_was_prefill);
        turn.text_ms += elapsed_ms();
      }
    }
    const Error error(ErrorKind::kUnavailable, "the server is shutting down");
    for (const auto& session : sessions) session->Fail(error);
    for (const QueuedRequest& queued : queue_) Deliver(error, queued.handler, *queued.job);
    if (picture_) picture_->Fail(error);
    for (const QueuedPicture& queued : pictures_) Deliver(error, queued.handler, *queued.job);
  }

  // The heartbeat, if it is due.
  void Beat() {
    if (!Beats()) return;
    const Clock::time_point now = Clock::now();
    if (now < next_beat_) return;
    next_beat_ = now + options_.heartbeat_interval;
    options_.heartbeat();
  }

  bool Beats() const { return options_.heartbeat && options_.heartbeat_interval.count() > 0; }

  // Waits until there is work or it is time to stop; the heart beats on.
  void AwaitWork(std::unique_lock<std::mutex>& lock, bool busy) {
    const auto ready = [&] {
      return stopping_ || busy || picture_ || !queue_.empty() || !pictures_.empty();
    };
    if (!Beats()) return wake_.wait(lock, ready);
    while (!wake_.wait_until(lock, next_beat_, ready)) {
      lock.unlock();
      Beat();
      lock.lock();
    }
  }

  void EndCancelled(std::vector<std::unique_ptr<Session>>& sessions) {
    for (const auto& session : sessions) {
      if (session->job().cancelled()) session->Finish(FinishReason::kCancelled);
    }
    std::erase_if(sessions, [](const auto& session) { return session->done(); });
    if (picture_ && picture_->job().cancelled()) picture_->Cancel();
    if (picture_ && picture_->done()) EndPicture();
  }

  void RunTexts(std::vector<std::unique_ptr<Session>>& sessions, bool& last_was_prefill) {
    std::vector<NextRows> next;
    for (const auto& session : sessions) next.push_back(session->next_rows());
    std::vector<Session*> chosen;
    for (const size_t index : ChooseStep(next, last_was_prefill))
      chosen.push_back(sessions[index].get());
    last_was_prefill = chosen[0]->phase() == Phase::kPrefill;
    steps_.Run(chosen, [&] {
      Beat();
      return stopping_ || std::all_of(chosen.begin(), chosen.end(),
                                      [](const Session* s) { return s->job().cancelled(); });
    });
    std::erase_if(sessions, [](const auto& session) { return session->done(); });
  }

  void RunPicture() {
    picture_->Step([this] {
      Beat();
      return stopping_ || picture_->job().cancelled();
    });
    if (picture_->done()) EndPicture();
  }

  void EndPicture() {
    picture_.reset();
    model_.ReleaseDrawing();
  }

  // One picture at a time: its memory is the largest there is.
  void TakePictureIn(QueuedPicture queued) {
    const PictureHandler handler = queued.handler;
    const std::shared_ptr<Job> job = queued.job;
    try {
      picture_ = std::make_unique<PictureSession>(std::move(queued), model_, *ops_, pool_,
                                                  tokenizer_, protocol_, context_tokens_);
    } catch (const Error& error) {
      Deliver(error, handler, *job);
    } catch (const std::bad_alloc&) {
      Deliver(Error(ErrorKind::kOutOfMemory, "no memory to prepare the picture"), handler, *job);
    }
  }

  // Waits for work and moves waiting requests into free places. False when it is time to stop.
  bool TakeIn(std::vector<std::unique_ptr<Session>>& sessions) {
    for (;;) {
      QueuedRequest queued;
      {
        std::unique_lock lock(mutex_);
        AwaitWork(lock, !sessions.empty());
        if (stopping_) return false;
        if (!picture_ && !pictures_.empty()) {
          QueuedPicture picture = std::move(pictures_.front());
          pictures_.pop_front();
          lock.unlock();
          TakePictureIn(std::move(picture));
          continue;
        }
        if (queue_.empty() || sessions.size() >= static_cast<size_t>(options_.max_sessions))
          return true;
        queued = std::move(queue_.front());
        queue_.pop_front();
      }
      const EventHandler handler = queued.handler;
      const std::shared_ptr<Job> job = queued.job;
      try {
        sessions.push_back(std::make_unique<Session>(std::move(queued), tokenizer_, protocol_,
                                                     pool_, context_tokens_));
      } catch (const Error& error) {
        Deliver(error, handler, *job);
      } catch (const std::bad_alloc&) {
        Deliver(Error(ErrorKind::kOutOfMemory, "no memory to prepare the request"), handler, *job);
      }
    }
  }

  const EngineOptions options_;
  const Clock::time_point load_started_;
  const BagelConfig config_;
  const int64_t context_tokens_;
  const Tokenizer tokenizer_;
  const ProtocolIds protocol_;
  const std::unique_ptr<Ops> ops_;
  const LoadedWeights weights_;
  KvPool pool_;
  Bagel model_;
  ModelInfo info_;

  std::mutex preparation_mutex_;
  ThreadPool preparation_pool_;
  TextSteps steps_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<QueuedRequest> queue_;
  std::deque<QueuedPicture> pictures_;
  std::unique_ptr<PictureSession> picture_;  // the worker's
  Clock::time_point next_beat_{};            // the worker's
  std::atomic<bool> stopping_{false};
  std::thread worker_;
};

// Waits for what `submit` brings about; `on_part` (may be empty) is told what comes before.
template <class Result, class Event, class Submit, class Part>
Result Await(const Submit& submit, const std::function<void(const Part&)>& on_part) {
  auto promise = std::make_shared<std::promise<Result>>();
  std::future<Result> future = promise->get_future();
  submit([promise, on_part](Event event) {
    if (const auto* part = std::get_if<Part>(&event)) {
      if (on_part) on_part(*part);
    } else if (auto* result = std::get_if<Result>(&event)) {
      promise->set_value(std::move(*result));
    } else {
      promise->set_exception(std::make_exception_ptr(std::get<Error>(event)));
    }
  });
  return future.get();
}

}  // namespace

const char* FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "?";
}

std::unique_ptr<Engine> Engine::Load(const EngineOptions& options) {
  if (options.max_sessions < 1 || options.max_sessions > Bagel::kRowsBesidePicture)
    throw Error(ErrorKind::kInvalidArgument,
                "max_sessions is " + std::to_string(options.max_sessions) + ", expected 1 to " +
                    std::to_string(Bagel::kRowsBesidePicture));
  try {
    return std::make_unique<TextEngine>(options);
  } catch (const Error& error) {
    if (options.device != "auto" || error.kind() != ErrorKind::kOutOfMemory) throw;
    std::fprintf(stderr, "%s: going on with the CPU\n", error.what());
  }
  EngineOptions on_cpu = options;
  on_cpu.device = "cpu";
  return std::make_unique<TextEngine>(on_cpu);
}

TextResult Engine::Run(TextRequest request, const std::function<void(const TextPiece&)>& on_piece) {
  return Await<TextResult, Event>(
      [&](EventHandler handler) { Submit(std::move(request), std::move(handler)); }, on_piece);
}

PictureResult Engine::Draw(PictureRequest request,
                           const std::function<void(const PictureProgress&)>& on_progress) {
  return Await<PictureResult, PictureEvent>(
      [&](PictureHandler handler) { SubmitPicture(std::move(request), std::move(handler)); },
      on_progress);
}

}  // namespace bagel
