// The engine: one model on one device, one worker thread, many requests.
#ifndef BAGEL_ENGINE_ENGINE_H_
#define BAGEL_ENGINE_ENGINE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/request.h"
#include "model/drawing_half.h"

namespace bagel {

struct EngineOptions {
  std::filesystem::path model;       // a checkpoint folder in the published layout
  std::string device = "auto";       // "cpu", "cuda", "cuda:N", "auto"
  std::string gpu_profile = "auto";  // or "sm_70", see MakeDevice
  std::string kv_cache = "auto";     // or "f16", "int8", see MakeDevice
  int threads = 0;                   // CPU threads; 0 = all this process may use
  bool exact = false;                // f32 products only, no faster approximations
  DrawingHalf drawing = DrawingHalf::kAlways;
  int64_t context_tokens = 0;  // longest context of one request; 0 = 8192 or the model's limit
  int max_sessions = 4;        // requests decoded together
  int max_queue = 512;         // requests waiting beyond that

  // Called by the worker, about once an interval while it idles and between layers while it works,
  // so not when the device hangs. Empty or zero: never.
  std::function<void()> heartbeat = nullptr;
  std::chrono::microseconds heartbeat_interval{0};
};

struct ModelInfo {
  std::string name;          // the folder's name, or "name" in bagel.json
  std::string device;        // in words: "cpu (2 threads, bf16 products)"
  int64_t parameters = 0;    // elements of all tensors in ema.safetensors
  int64_t bytes = 0;         // their size as stored
  std::string quantization;  // the format most decoder weights have: "BF16", "F16", "INT8_B64", ...
  int64_t context_tokens = 0;  // longest context of one request
  int64_t hidden_size = 0;
  int64_t modified_unix_ns = 0;  // of ema.safetensors
  std::string digest;            // 64 hex digits that change with the files (names, sizes, times)
  double load_ms = 0;
  std::optional<PictureSize> picture;  // drawn where a request names no size; none: cannot draw
};

// One submitted request. Dropping it does not cancel it.
class Job {
 public:
  // The request ends at its next step with finish_reason cancelled; without effect once it has
  // ended.
  void Cancel() { cancelled_ = true; }
  bool cancelled() const { return cancelled_; }

  // The next progress of a picture carries a preview.
  void AskPreview() { preview_wished_ = true; }
  bool TakePreviewWish() { return preview_wished_.exchange(false); }

 private:
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> preview_wished_{false};
};

class Engine {
 public:
  // Maps the weights and starts the worker. Throws Error naming file, tensor, expected and found.
  // On device "auto" a GPU with too little memory is left for the CPU, which a line on standard
  // error says.
  static std::unique_ptr<Engine> Load(const EngineOptions& options);

  virtual ~Engine() = default;  // cancels what runs, answers what waits with kUnavailable

  // Thread-safe; returns when the pictures are prepared. Throws kInvalidArgument or kTooLarge for a
  // request that cannot run (no parts, option out of range, a picture of impossible size) and
  // kUnavailable ("server busy, please try again.  maximum pending requests exceeded") when the
  // queue is full. What goes wrong later arrives as an Error event.
  virtual std::shared_ptr<Job> Submit(TextRequest request, EventHandler handler) = 0;

  // Asks for a picture to be drawn; returns at once. Throws kUnsupported where the checkpoint has
  // no drawing half, kInvalidArgument for settings, sizes or inputs that cannot be drawn, and
  // kUnavailable as Submit.
  virtual std::shared_ptr<Job> SubmitPicture(PictureRequest request, PictureHandler handler) = 0;

  virtual const ModelInfo& info() const = 0;

  // Submit and wait; `on_piece` (may be empty) is called on the worker thread. Throws the Error
  // that the request ended with.
  TextResult Run(TextRequest request, const std::function<void(const TextPiece&)>& on_piece);
  PictureResult Draw(PictureRequest request,
                     const std::function<void(const PictureProgress&)>& on_progress);
};

}  // namespace bagel

#endif  // BAGEL_ENGINE_ENGINE_H_
