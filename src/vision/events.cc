#include "vision/events.h"

#include <utility>

namespace bagel::vision {

std::string EventText(std::string_view event, std::string_view data, uint64_t id) {
  std::string text = "event: ";
  text.append(event);
  if (id != 0) {
    text += "\nid: " + std::to_string(id);
  }
  return text.append("\ndata: ").append(data).append("\n\n");
}

EventHub::EventHub(size_t max_listeners, std::chrono::milliseconds keep_alive)
    : max_listeners_(max_listeners), keep_alive_(keep_alive), thread_([this] { KeepAlive(); }) {}

EventHub::~EventHub() {
  Close();
  thread_.join();
}

bool EventHub::Add(const std::shared_ptr<http::HttpReply>& reply, std::string_view first) {
  const std::lock_guard lock(mutex_);
  DropGone();
  if (closed_ || listeners_.size() >= max_listeners_) {
    return false;
  }
  reply->Begin(200, kEventStream);
  // A comment first, so that a client knows at once that it is connected.
  reply->Write(std::string(": sophia\n\n").append(first));
  listeners_.push_back(reply);
  return true;
}

void EventHub::Publish(std::string_view event, std::string_view data) {
  const std::lock_guard lock(mutex_);
  const std::string text = EventText(event, data, next_id_++);
  for (const auto& listener : listeners_) {
    listener->Write(text);
  }
  DropGone();
}

void EventHub::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const auto& listener : listeners_) {
    listener->End();
  }
  listeners_.clear();
  closing_.notify_all();
}

size_t EventHub::listeners() {
  const std::lock_guard lock(mutex_);
  DropGone();
  return listeners_.size();
}

void EventHub::KeepAlive() {
  std::unique_lock lock(mutex_);
  while (!closing_.wait_for(lock, keep_alive_, [this] { return closed_; })) {
    for (const auto& listener : listeners_) {
      listener->Write(": keep-alive\n\n");
    }
    DropGone();
  }
}

void EventHub::DropGone() {
  std::erase_if(listeners_, [](const auto& listener) { return listener->cancelled(); });
}

}  // namespace bagel::vision
