#include "vision/watch.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "vision/looker.h"
#include "vision/report.h"
#include "vision/words.h"

namespace bagel::vision {
namespace {

constexpr std::chrono::milliseconds kFramePatience{500};

// "door-2026-11-25T02-55-32-120Z-17".
std::string EventId(const std::string& camera, std::chrono::system_clock::time_point time,
                    uint64_t number) {
  std::string text = camera + "-" + IsoTime(time) + "-" + std::to_string(number);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == ':' || c == '.'; }, '-');
  return text;
}

}  // namespace

Watch::Watch(const WatchOptions& options, Describe describe) : options_(options) {
  if (!options_.snapshots.folder.empty()) {
    snapshots_ = std::make_unique<Snapshots>(options_.snapshots);
  }
  for (const WatchedCamera& camera : options_.cameras) {
    watchers_.push_back(
        std::make_unique<Watcher>(Watcher{camera,
                                          Camera::Open(camera.source, options_.camera),
                                          MotionDetector(camera.motion, camera.zones),
                                          EventTracker(camera.events),
                                          {},
                                          1,
                                          "",
                                          {}}));
  }
  // The queue knows frames and events; the event's camera says which prompt.
  auto find = [this](const std::string& name) -> const WatchedCamera& {
    return (*std::find_if(watchers_.begin(), watchers_.end(),
                          [&name](const auto& watcher) { return watcher->options.name == name; }))
        ->options;
  };
  queue_ = std::make_unique<DescribeQueue>(
      [find, describe = std::move(describe)](const WatchEvent& event, const cv::Mat& bgr,
                                             const std::function<bool()>& stop) {
        return describe(find(event.camera), bgr, stop);
      },
      [this](WatchEvent event) {
        event.at = std::chrono::system_clock::now();
        Tell(event);
      },
      options_.describe);
}

Watch::~Watch() {
  stopping_ = true;
  for (const auto& watcher : watchers_) {
    if (watcher->thread.joinable()) {
      watcher->thread.join();
    }
  }
  queue_.reset();
  outputs_.clear();  // the last of them may still call Switch
}

void Watch::AddOutput(std::unique_ptr<EventOutput> output, const OutputOptions& options) {
  outputs_.push_back(std::make_unique<OutputQueue>(std::move(output), options));
}

void Watch::Start() {
  for (const auto& watcher : watchers_) {
    watcher->thread = std::thread([this, &watcher = *watcher] { Run(watcher); });
  }
}

void Watch::Switch(const std::string& camera, bool on) {
  for (const auto& watcher : watchers_) {
    if (watcher->options.name == camera) {
      spdlog::info("{}: switched {}", camera, on ? "on" : "off");
      watcher->camera->SetPrivacy(!on);
    }
  }
}

Watch::Counts Watch::counts() const { return {motion_, described_, failed_, dropped_}; }

std::map<std::string, Camera::Statistics> Watch::cameras() const {
  std::map<std::string, Camera::Statistics> all;
  for (const auto& watcher : watchers_) {
    all[watcher->options.name] = watcher->camera->statistics();
  }
  return all;
}

std::map<std::string, uint64_t> Watch::lost() const {
  std::map<std::string, uint64_t> all;
  for (const auto& output : outputs_) {
    all[output->Name()] += output->dropped();
  }
  return all;
}

void Watch::Run(Watcher& watcher) {
  std::chrono::steady_clock::time_point newest{};
  while (!stopping_) {
    const Camera::View view = watcher.camera->Newest(kFramePatience, newest);
    SayState(watcher, view);
    const bool fresh = !view.frame.bgr.empty() && view.frame.received > newest;
    if (view.state == State::kOk && fresh) {
      newest = view.frame.received;
      try {
        Take(watcher, view.frame);
      } catch (const std::exception& error) {
        spdlog::error("{}: {}", watcher.options.name, error.what());
      }
    } else if (view.state != State::kOk) {
      // What comes back may look at something else.
      if (view.state != State::kBlurred && view.state != State::kStale) {
        watcher.detector.Reset();
        Follow(watcher, watcher.tracker.Interrupt());
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  Follow(watcher, watcher.tracker.Interrupt());
}

void Watch::Take(Watcher& watcher, const Frame& frame) {
  const Motion motion = watcher.detector.Add(frame.bgr);
  const EventTracker::Step step = watcher.tracker.Add(motion, frame);
  if (step.limited) {
    spdlog::info("{}: something moves, but this camera has had enough events for now",
                 watcher.options.name);
  }
  if (step.began) {
    watcher.event.motion = motion;
  }
  Follow(watcher, step);
}

void Watch::Follow(Watcher& watcher, const EventTracker::Step& step) {
  if (step.began) {
    Begin(watcher);
  }
  if (step.chosen) {
    Choose(watcher);
  }
  if (step.ended) {
    WatchEvent event = watcher.event;
    event.kind = WatchEvent::Kind::kEnd;
    event.at = std::chrono::system_clock::now();
    Tell(event);
  }
}

void Watch::Begin(Watcher& watcher) {
  WatchEvent& event = watcher.event;
  const Motion motion = event.motion;
  event = {};
  event.kind = WatchEvent::Kind::kMotion;
  event.camera = watcher.options.name;
  event.started_at = event.at = std::chrono::system_clock::now();
  event.id = EventId(event.camera, event.started_at, watcher.next_event++);
  event.motion = motion;
  Tell(event);
}

void Watch::Choose(Watcher& watcher) {
  WatchEvent& event = watcher.event;
  const cv::Mat& bgr = watcher.tracker.best().bgr;
  event.motion = watcher.tracker.best_motion();
  event.kind = WatchEvent::Kind::kSnapshot;
  event.at = std::chrono::system_clock::now();
  auto jpeg = std::make_shared<const std::string>(EncodeJpeg(bgr));
  if (snapshots_) {
    try {
      event.snapshot = snapshots_->Save(event.id, *jpeg);
    } catch (const Error& error) {
      spdlog::warn("{}", error.what());
    }
  }
  WatchEvent with_picture = event;
  with_picture.jpeg = std::move(jpeg);
  Tell(with_picture);
  queue_->Add(event, bgr);
}

void Watch::SayState(Watcher& watcher, const Camera::View& view) {
  const std::string state = StateName(view.state);
  // A moment without a new frame is no state of its own.
  if (state == watcher.said_state || view.state == State::kStale) {
    return;
  }
  watcher.said_state = state;
  WatchEvent event;
  event.kind = WatchEvent::Kind::kCameraState;
  event.camera = watcher.options.name;
  event.at = std::chrono::system_clock::now();
  event.state = state;
  event.detail = view.detail;
  spdlog::info("{}: {}{}{}", event.camera, state, event.detail.empty() ? "" : ": ", event.detail);
  Tell(event);
}

void Watch::Tell(const WatchEvent& event) {
  switch (event.kind) {
    case WatchEvent::Kind::kMotion:
      ++motion_;
      break;
    case WatchEvent::Kind::kDescription:
      ++described_;
      break;
    case WatchEvent::Kind::kFailed:
      ++failed_;
      spdlog::warn("{}: {}", event.camera, WithoutControlBytes(event.detail, false));
      break;
    case WatchEvent::Kind::kDropped:
      ++dropped_;
      spdlog::warn("{}: an event is not described: {}", event.camera, event.detail);
      break;
    default:
      break;
  }
  for (const auto& output : outputs_) {
    output->Add(event);
  }
}

}  // namespace bagel::vision
