#include "vision/camera.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "vision/camera_reader.h"
#include "vision/camera_source.h"
#include "vision/frame_check.h"

namespace bagel::vision {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Threads that hang in a source at the same time, before no further attempt is made.
constexpr size_t kMaxReaders = 4;
// A source that gives up by itself says better why, so it gets this much longer.
constexpr milliseconds kGrace{500};
// How long a source is waited for when it is closed on purpose, and when it is lost.
constexpr milliseconds kClosing{1000};
constexpr milliseconds kLost{100};
// A live picture must be unusable this long before it is the camera's state: lights are switched,
// people move.
constexpr milliseconds kUnusable{1000};
// How often a missing device is looked for.
constexpr milliseconds kLookForDevice{500};

void CheckOptions(const CameraOptions& options) {
  const auto check = [](bool good, const char* what, int64_t value) {
    if (!good) {
      throw Error(ErrorKind::kInvalidArgument,
                  std::string("the camera's ") + what + " cannot be " + std::to_string(value));
    }
  };
  check(options.width >= 16 && options.width <= 16384, "width", options.width);
  check(options.height >= 16 && options.height <= 16384, "height", options.height);
  check(options.frames_per_second >= 1 && options.frames_per_second <= 1000, "frames per second",
        options.frames_per_second);
  check(options.open_timeout.count() > 0, "open timeout", options.open_timeout.count());
  check(options.read_timeout.count() > 0, "read timeout", options.read_timeout.count());
  check(options.first_retry.count() > 0, "first retry", options.first_retry.count());
}

std::string Describe(State state, const std::string& name, const FrameStatistics& frame) {
  char grey[64];
  std::snprintf(grey, sizeof grey, "mean grey level %.0f of 255", frame.mean);
  switch (state) {
    case State::kDark:
      return name + " gives a black picture (" + grey + "): is the lens covered, or the light off?";
    case State::kNoSignal:
      return name + " gives one flat colour (" + grey + "): it has no signal";
    case State::kBlurred:
      return name + " gives a blurred picture: is it out of focus, or the lens dirty?";
    case State::kFrozen:
      return name + " gives the same picture again and again: it hangs";
    default:
      return "";
  }
}

}  // namespace

// What the caller's functions and the camera's thread share is guarded by mutex_.
class Camera::Impl {
 public:
  Impl(SourceRecipe recipe, const CameraOptions& options)
      : recipe_(std::move(recipe)),
        options_(options),
        freeze_(options.frozen_after),
        unusable_after_(recipe_.live ? kUnusable : milliseconds(0)),
        thread_([this] { Run(); }) {}

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      if (reader_) reader_->Stop();
      changed_.notify_all();
    }
    thread_.join();
  }

  View Newest(milliseconds patience, steady_clock::time_point newer_than);
  void SetPrivacy(bool on);
  void OnState(std::function<void(State, const std::string&)> action);
  Statistics statistics() const;

  bool privacy() const {
    const std::lock_guard lock(mutex_);
    return privacy_;
  }
  const std::string& name() const { return recipe_.name; }

 private:
  void Run();
  void ReadUntilLost();
  void ReadFrames(SourceReader& reader);
  void Publish(const SourceFrame& source, const FrameStatistics& frame, State state);
  void Fail(const CameraError& error);
  void WaitToRetry();
  std::shared_ptr<SourceReader> StartReader();
  void CloseReader(milliseconds patience);
  void SetState(State state, std::string detail);
  void Notify();

  const SourceRecipe recipe_;
  const CameraOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool closing_ = false;
  bool privacy_ = false;
  std::shared_ptr<SourceReader> reader_;  // null while closed
  Frame frame_;
  State frame_state_ = State::kStarting;
  std::string frame_detail_;
  State state_ = State::kStarting;
  std::string detail_;
  uint64_t frames_ = 0;
  uint64_t broken_ = 0;  // of the readers before this one
  uint64_t reconnects_ = 0;

  std::mutex action_mutex_;  // held while action_ runs
  std::function<void(State, const std::string&)> action_;
  State notified_ = State::kStarting;

  // The thread's own.
  std::vector<std::shared_ptr<SourceReader>> hanging_;
  FreezeCheck freeze_;
  const milliseconds unusable_after_;
  std::optional<steady_clock::time_point> unusable_since_;
  milliseconds retry_{0};  // 0: the next failure is the first in a row
  bool missing_ = false;   // the device, when it failed last
  std::minstd_rand jitter_{std::random_device{}()};

  std::thread thread_;  // last: it uses all of the above
};

void Camera::Impl::Run() {
  bool first = true;
  while (true) {
    Notify();
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return closing_ || !privacy_; });
      if (closing_) return;
      if (!first) ++reconnects_;
      first = false;
    }
    try {
      ReadUntilLost();
    } catch (const CameraError& error) {
      Fail(error);
      CloseReader(kLost);
      Notify();
      WaitToRetry();
    }
    CloseReader(kClosing);
  }
}

// Returns when the camera is closed on purpose. Throws CameraError.
void Camera::Impl::ReadUntilLost() {
  const std::shared_ptr<SourceReader> reader = StartReader();
  if (!reader) return;
  const auto limit = options_.open_timeout + kGrace;
  const bool open = reader->WaitOpen(steady_clock::now() + limit);
  if (reader->stopped()) return;
  if (!open) {
    throw CameraError(State::kCameraOffline,
                      recipe_.name + " did not open within " + Seconds(options_.open_timeout));
  }
  ReadFrames(*reader);
}

void Camera::Impl::ReadFrames(SourceReader& reader) {
  WarmUp warm_up;
  bool warm = !recipe_.live;
  while (true) {
    const SourceFrame source = reader.Take(steady_clock::now() + options_.read_timeout + kGrace);
    if (reader.stopped()) return;
    if (source.bgr.empty()) {
      const uint64_t broken = reader.broken();
      throw CameraError(State::kCameraOffline,
                        recipe_.name + " gave no " + (broken > 0 ? "readable " : "") +
                            "frame for " + Seconds(options_.read_timeout) +
                            (broken > 0 ? ", " + std::to_string(broken) + " were broken" : ""));
    }
    const FrameStatistics frame = MeasureFrame(source.bgr);
    warm = warm || warm_up.Add(frame.mean, source.received);
    if (!warm) continue;
    State state = CheckFrame(frame);
    const bool equal = recipe_.live && freeze_.Add(HashFrame(source.bgr), source.received);
    if (equal && (state == State::kOk || state == State::kBlurred)) state = State::kFrozen;
    Publish(source, frame, state);
    Notify();
    if (state == State::kFrozen) {
      // Opening it again may help.
      throw CameraError(state, Describe(state, recipe_.name, frame));
    }
    retry_ = milliseconds(0);
  }
}

void Camera::Impl::Publish(const SourceFrame& source, const FrameStatistics& frame, State state) {
  if (state == State::kOk) {
    unusable_since_.reset();
  } else if (!unusable_since_) {
    unusable_since_ = source.received;
  }
  const bool lasting = state == State::kOk || state == State::kFrozen ||
                       source.received - *unusable_since_ >= unusable_after_;
  const std::lock_guard lock(mutex_);
  if (privacy_ || closing_) return;
  const auto age = steady_clock::now() - source.received;
  frame_.bgr = source.bgr;
  frame_.received = source.received;
  frame_.captured_at = std::chrono::system_clock::now() -
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(age);
  frame_.sequence = ++frames_;
  frame_state_ = state;
  frame_detail_ = Describe(state, recipe_.name, frame);
  if (lasting) SetState(state, frame_detail_);
  changed_.notify_all();
}

void Camera::Impl::Fail(const CameraError& error) {
  // Before anybody hears of it: whoever plugs the device in then is noticed.
  missing_ = !recipe_.device.empty() && access(recipe_.device.c_str(), F_OK) != 0;
  const std::lock_guard lock(mutex_);
  if (privacy_ || closing_) return;
  if (error.state() != State::kFrozen) frame_ = {};
  SetState(error.state(), error.what());
}

// With mutex_ held.
void Camera::Impl::SetState(State state, std::string detail) {
  state_ = state;
  detail_ = std::move(detail);
  changed_.notify_all();
}

// Tells of a new state; only the camera's thread calls this, and OnState.
void Camera::Impl::Notify() {
  const std::lock_guard action_lock(action_mutex_);
  State state;
  std::string detail;
  {
    const std::lock_guard lock(mutex_);
    if (state_ == notified_) return;
    notified_ = state = state_;
    detail = detail_;
  }
  if (action_) action_(state, detail);
}

// Waits from first_retry on, twice as long after every failure, plus up to a quarter so that many
// cameras of one machine do not return at once. Ends when a missing device appears.
void Camera::Impl::WaitToRetry() {
  retry_ = retry_.count() == 0 ? options_.first_retry : std::min(retry_ * 2, options_.last_retry);
  const auto jitter = std::uniform_int_distribution<int64_t>(0, retry_.count() / 4)(jitter_);
  const auto until = steady_clock::now() + retry_ + milliseconds(jitter);
  std::unique_lock lock(mutex_);
  while (!closing_ && !privacy_ && steady_clock::now() < until) {
    changed_.wait_until(lock,
                        missing_ ? std::min(until, steady_clock::now() + kLookForDevice) : until,
                        [&] { return closing_ || privacy_; });
    if (missing_ && access(recipe_.device.c_str(), F_OK) == 0) return;
  }
}

// Null when the camera is to be closed. Throws CameraError when too many readers hang.
std::shared_ptr<SourceReader> Camera::Impl::StartReader() {
  std::erase_if(hanging_, [](const auto& reader) { return reader->WaitClosed(milliseconds(0)); });
  if (hanging_.size() >= kMaxReaders) {
    throw CameraError(State::kCameraOffline, recipe_.name +
                                                 " hangs: " + std::to_string(hanging_.size()) +
                                                 " attempts to read it have not returned");
  }
  const std::lock_guard lock(mutex_);
  if (closing_ || privacy_) return nullptr;
  reader_ = SourceReader::Start(recipe_, options_.frames_per_second);
  return reader_;
}

// Closes the source or gives its thread up.
void Camera::Impl::CloseReader(milliseconds patience) {
  std::shared_ptr<SourceReader> reader;
  {
    const std::lock_guard lock(mutex_);
    if (!reader_) return;
    reader = std::exchange(reader_, nullptr);
    broken_ += reader->broken();
  }
  reader->Stop();
  if (!reader->WaitClosed(patience)) hanging_.push_back(std::move(reader));
}

Camera::View Camera::Impl::Newest(milliseconds patience, steady_clock::time_point newer_than) {
  patience = std::clamp(patience, milliseconds(0), milliseconds(std::chrono::hours(1)));
  std::unique_lock lock(mutex_);
  const auto age = [&] { return steady_clock::now() - frame_.received; };
  const auto is_new = [&] { return !frame_.bgr.empty() && frame_.received > newer_than; };
  const auto is_usable = [&] {
    return is_new() && frame_state_ == State::kOk && age() <= options_.stale_after;
  };
  const auto is_known_bad = [&] { return state_ != State::kOk && state_ != State::kStarting; };
  changed_.wait_for(lock, patience, [&] { return is_usable() || is_known_bad(); });
  if (is_known_bad()) return {state_, frame_, detail_};
  if (is_usable()) return {State::kOk, frame_, ""};
  if (is_new() && frame_state_ != State::kOk) return {frame_state_, frame_, frame_detail_};
  if (frame_.bgr.empty()) {
    return {State::kStarting,
            {},
            recipe_.name + " has not given a settled frame within " + Seconds(patience)};
  }
  return {State::kStale, frame_,
          "the newest frame of " + recipe_.name + " is " + Seconds(age()) + " old"};
}

void Camera::Impl::SetPrivacy(bool on) {
  std::shared_ptr<SourceReader> reader;
  {
    const std::lock_guard lock(mutex_);
    if (privacy_ == on) return;
    privacy_ = on;
    if (on) {
      frame_ = {};
      SetState(State::kPrivacy, recipe_.name + " is closed for privacy");
      reader = reader_;
      if (reader) reader->Stop();
    } else {
      SetState(State::kStarting, recipe_.name + " is being opened");
    }
  }
  if (reader) reader->WaitClosed(kClosing);
}

void Camera::Impl::OnState(std::function<void(State, const std::string&)> action) {
  const std::lock_guard action_lock(action_mutex_);
  action_ = std::move(action);
  std::string detail;
  {
    const std::lock_guard lock(mutex_);
    notified_ = state_;
    detail = detail_;
  }
  if (action_) action_(notified_, detail);
}

Camera::Statistics Camera::Impl::statistics() const {
  const std::lock_guard lock(mutex_);
  Statistics all;
  all.state = state_;
  all.detail = detail_;
  all.frames = frames_;
  all.broken = broken_ + (reader_ ? reader_->broken() : 0);
  all.reconnects = reconnects_;
  if (!frame_.bgr.empty()) {
    all.age = std::chrono::duration_cast<milliseconds>(steady_clock::now() - frame_.received);
    all.width = frame_.bgr.cols;
    all.height = frame_.bgr.rows;
  }
  if (reader_ && !reader_->stopped()) all.format = reader_->format();
  return all;
}

Camera::Camera(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Camera::~Camera() = default;

std::unique_ptr<Camera> Camera::Open(const std::string& source, const CameraOptions& options) {
  CheckOptions(options);
  return std::unique_ptr<Camera>(
      new Camera(std::make_unique<Impl>(MakeRecipe(source, options), options)));
}

Camera::View Camera::Newest(milliseconds patience, steady_clock::time_point newer_than) {
  return impl_->Newest(patience, newer_than);
}
void Camera::SetPrivacy(bool on) { impl_->SetPrivacy(on); }
bool Camera::privacy() const { return impl_->privacy(); }
void Camera::OnState(std::function<void(State, const std::string&)> action) {
  impl_->OnState(std::move(action));
}
Camera::Statistics Camera::statistics() const { return impl_->statistics(); }
const std::string& Camera::name() const { return impl_->name(); }

}  // namespace bagel::vision
