#include "request_bench.h"

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "bench_time.h"
#include "gpu_memory.h"
#include "interrupt.h"

namespace bagel {
namespace {

// Colours that change across the picture.
Picture MakePicture(PictureSize size) {
  Picture picture{size.width, size.height, {}};
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x)
      picture.rgb.insert(picture.rgb.end(), {static_cast<uint8_t>(255 * x / size.width),
                                             static_cast<uint8_t>(255 * y / size.height),
                                             static_cast<uint8_t>((x / 8 + y / 8) % 2 * 255)});
  }
  return picture;
}

TextRequest MakeText(int64_t tokens) {
  TextRequest request;
  request.parts = {std::string("Describe this image.")};
  request.sampling.temperature = 0;
  request.num_predict = static_cast<int>(tokens);
  return request;
}

void CheckInterrupt() {
  if (Interrupted()) throw Error(ErrorKind::kCancelled, "interrupted");
}

class RequestBench {
 public:
  RequestBench(const ModelOptions& options, const RequestShape& shape, int rounds)
      : options_(options), shape_(shape), rounds_(rounds) {
    options_.max_sessions = std::max(options_.max_sessions, shape_.requests);
  }

  Json Run() {
    if (shape_.pictures()) TimePictures();
    if (shape_.texts()) TimeTexts();
    return report_;
  }

 private:
  // Loads, and waits for one word; the time is reported as `key`.
  std::unique_ptr<Engine> LoadToFirstToken(DrawingHalf drawing, const char* key) {
    CheckInterrupt();
    ModelOptions options = options_;
    options.drawing = drawing;
    std::unique_ptr<Engine> engine;
    report_[key] = Time([&] {
      engine = Engine::Load(options);
      engine->Run(MakeText(1), nullptr);
    });
    return engine;
  }

  // Runs `body` and reports the GPU's memory at its peak as `key`.
  template <typename Body>
  void WithMemory(const char* key, const Body& body) {
    CheckInterrupt();
    if (const std::optional<uint64_t> peak = memory_.PeakOf(body))
      report_[key] = static_cast<double>(*peak) / 1e6;
  }

  void TimeTexts() {
    std::unique_ptr<Engine> engine;
    WithMemory("understanding_gpu_mb", [&] {
      engine = LoadToFirstToken(DrawingHalf::kOff, "load_understanding_to_first_token_ms");
      if (shape_.frame.width > 0) TimeFrame(*engine);
    });
    if (shape_.requests == 0) return;
    report_["requests"] = shape_.requests;
    TokensPerSecond(*engine, 1);
    report_["one_request_tokens_per_second"] = TokensPerSecond(*engine, 1);
    TokensPerSecond(*engine, shape_.requests);
    report_["requests_tokens_per_second"] = TokensPerSecond(*engine, shape_.requests);
  }

  // From the pixels to the first word.
  void TimeFrame(Engine& engine) {
    TextRequest request = MakeText(1);
    request.parts.insert(request.parts.begin(), MakePicture(shape_.frame));
    std::vector<double> times;
    TextResult result;
    for (int round = 0; round <= rounds_; ++round) {
      CheckInterrupt();
      const double ms = Time([&] { result = engine.Run(request, nullptr); });
      if (round > 0) times.push_back(ms);
    }
    report_["frame_width"] = shape_.frame.width;
    report_["frame_height"] = shape_.frame.height;
    report_["frame_tokens"] = result.prompt_tokens;
    report_["frame_to_first_word_ms"] = Median(times);
  }

  // All tokens of `count` requests that are sent at once, over the time until the last one ends.
  double TokensPerSecond(Engine& engine, int count) {
    CheckInterrupt();
    std::vector<std::promise<TextResult>> promises(static_cast<size_t>(count));
    int64_t tokens = 0;
    const double ms = Time([&] {
      for (std::promise<TextResult>& promise : promises)
        engine.Submit(MakeText(shape_.tokens), [&promise](Event event) {
          if (auto* result = std::get_if<TextResult>(&event))
            promise.set_value(std::move(*result));
          else if (const auto* error = std::get_if<Error>(&event))
            promise.set_exception(std::make_exception_ptr(*error));
        });
      for (std::promise<TextResult>& promise : promises)
        tokens += promise.get_future().get().generated_tokens;
    });
    return static_cast<double>(tokens) / ms * 1e3;
  }

  void TimePictures() {
    std::unique_ptr<Engine> engine;
    WithMemory("drawing_gpu_mb", [&] {
      engine = LoadToFirstToken(options_.drawing, "load_to_first_token_ms");
      PictureRequest first = MakeRequest();
      first.flow.steps = 2;
      engine->Draw(first, nullptr);  // what only the first picture does is not timed
      report_["picture_ms"] = TimePicture(*engine, MakeRequest());
    });
    report_["picture_width"] = shape_.drawn.width;
    report_["picture_height"] = shape_.drawn.height;
    report_["picture_steps"] = shape_.steps;
    PictureRequest taylor = MakeRequest();
    taylor.flow.taylorseer = true;
    WithMemory("drawing_taylorseer_gpu_mb",
               [&] { report_["picture_taylorseer_ms"] = TimePicture(*engine, taylor); });
    if (shape_.edit)
      WithMemory("editing_gpu_mb", [&] { report_["edit_ms"] = TimePicture(*engine, MakeEdit()); });
  }

  double TimePicture(Engine& engine, const PictureRequest& request) {
    return Time([&] { engine.Draw(request, [](const PictureProgress&) { CheckInterrupt(); }); });
  }

  PictureRequest MakeRequest() const {
    PictureRequest request;
    request.parts = {std::string("A red apple on a wooden table, in the light of the morning")};
    request.size = shape_.drawn;
    request.flow.steps = shape_.steps;
    request.seed = 1;
    return request;
  }

  PictureRequest MakeEdit() const {
    PictureRequest request = MakeRequest();
    request.parts.insert(request.parts.begin(), MakePicture(shape_.drawn));
    request.size.reset();
    request.flow = EditFlowSettings();
    request.flow.steps = shape_.steps;
    return request;
  }

  ModelOptions options_;
  const RequestShape shape_;
  const int rounds_;
  const GpuMemory memory_;
  Json report_ = Json::object();
};

}  // namespace

Json RunRequestBench(const ModelOptions& options, const RequestShape& shape, int rounds) {
  return RequestBench(options, shape, rounds).Run();
}

}  // namespace bagel
