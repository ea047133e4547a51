#include "vision/camera_reader.h"

#include <exception>
#include <thread>
#include <utility>

namespace bagel::vision {

using std::chrono::steady_clock;

std::shared_ptr<SourceReader> SourceReader::Start(SourceRecipe recipe, int frames_per_second) {
  std::shared_ptr<SourceReader> reader(new SourceReader);
  const std::chrono::milliseconds interval(1000 / frames_per_second);
  std::thread([reader, recipe = std::move(recipe), interval] {
    reader->Run(recipe, interval);
  }).detach();
  return reader;
}

void SourceReader::Run(const SourceRecipe& recipe, std::chrono::milliseconds interval) {
  std::optional<CameraError> error;
  try {
    const std::unique_ptr<FrameSource> source = recipe.open(stop_);
    if (!stopped()) ReadAll(*source, interval);
  } catch (const CameraError& failure) {
    error = failure;
  } catch (const std::exception& failure) {  // OpenCV's own, no memory
    error = CameraError(State::kCameraOffline, recipe.name + ": " + failure.what());
  }
  const std::lock_guard lock(mutex_);
  error_ = std::move(error);
  closed_ = true;
  changed_.notify_all();
}

void SourceReader::ReadAll(FrameSource& source, std::chrono::milliseconds interval) {
  {
    const std::lock_guard lock(mutex_);
    open_ = true;
    format_ = source.Format();
    changed_.notify_all();
  }
  // Rather a little early than to miss a frame that comes just before its time.
  const auto wait = interval * 3 / 4;
  steady_clock::time_point next = steady_clock::now();
  while (!stopped()) {
    SourceFrame frame = source.Read(next, stop_);
    const std::lock_guard lock(mutex_);
    broken_ = source.broken();
    if (frame.bgr.empty()) continue;
    next = steady_clock::now() + wait;
    format_ = source.Format();
    newest_ = std::move(frame);
    changed_.notify_all();
  }
}

template <typename Ready>
void SourceReader::Wait(std::unique_lock<std::mutex>& lock, steady_clock::time_point deadline,
                        Ready ready) {
  changed_.wait_until(lock, deadline, [&] { return ready() || stopped() || error_.has_value(); });
  if (error_ && !stopped()) throw CameraError(*error_);
}

bool SourceReader::WaitOpen(steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  Wait(lock, deadline, [&] { return open_; });
  return open_ && !stopped();
}

SourceFrame SourceReader::Take(steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  Wait(lock, deadline, [&] { return !newest_.bgr.empty(); });
  return stopped() ? SourceFrame{} : std::exchange(newest_, {});
}

uint64_t SourceReader::broken() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

std::string SourceReader::format() const {
  const std::lock_guard lock(mutex_);
  return format_;
}

void SourceReader::Stop() {
  stop_.Set();
  const std::lock_guard lock(mutex_);
  newest_ = {};
  changed_.notify_all();
}

bool SourceReader::WaitClosed(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return closed_; });
}

}  // namespace bagel::vision
