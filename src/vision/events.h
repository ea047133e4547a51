// Server-sent events: what happens, told to everyone who listens.
#ifndef BAGEL_VISION_EVENTS_H_
#define BAGEL_VISION_EVENTS_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "http/http_reply.h"

namespace bagel::vision {

inline constexpr const char* kEventStream = "text/event-stream; charset=utf-8";

// One event as it is sent; `data` is one line. An `id` of 0 is left out.
std::string EventText(std::string_view event, std::string_view data, uint64_t id = 0);

// The listeners. All functions may be called from any thread and none waits for a listener: one
// that does not read is dropped when its reply's unsent limit is passed.
class EventHub {
 public:
  explicit EventHub(size_t max_listeners = 16,
                    std::chrono::milliseconds keep_alive = std::chrono::seconds(15));
  ~EventHub();
  EventHub(const EventHub&) = delete;
  EventHub& operator=(const EventHub&) = delete;

  // Begins the stream with `first`, which holds whole events. False, and nothing sent, when there
  // are max_listeners already or the hub is closed.
  bool Add(const std::shared_ptr<http::HttpReply>& reply, std::string_view first = "");

  void Publish(std::string_view event, std::string_view data);
  void Close();  // ends every stream; later ones are refused
  size_t listeners();

 private:
  void KeepAlive();
  void DropGone();  // with mutex_ held

  const size_t max_listeners_;
  const std::chrono::milliseconds keep_alive_;
  std::mutex mutex_;
  std::condition_variable closing_;
  std::vector<std::shared_ptr<http::HttpReply>> listeners_;
  uint64_t next_id_ = 1;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_EVENTS_H_
