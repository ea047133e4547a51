// The eyes as a service: looks, pictures, events and words over HTTP.
#ifndef BAGEL_VISION_SERVICE_H_
#define BAGEL_VISION_SERVICE_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "formats/json.h"
#include "http/http_server.h"
#include "vision/camera.h"
#include "vision/events.h"
#include "vision/job_queue.h"
#include "vision/language_model.h"
#include "vision/looker.h"
#include "vision/metrics.h"
#include "vision/triggers.h"

namespace bagel::vision {

// What a service works with. All of it must outlive the service.
struct ServiceParts {
  Camera& camera;
  Looker& looker;
  Servers& servers;
  const Triggers& triggers;
  ObjectFinder* objects = nullptr;          // null: /detect answers 501
  const LanguageModel* language = nullptr;  // null: the report itself is the answer
};

struct ServiceOptions {
  http::ServerOptions http;
  LookOptions look;        // of the camera's looks, where a request does not say otherwise
  std::string save;        // folder for every look of the camera; empty = none is kept
  size_t max_waiting = 4;  // looks; one more runs
  size_t max_listeners = 16;
  std::chrono::milliseconds frame_patience{5'000};  // for a usable frame
  std::chrono::milliseconds keep_alive{15'000};     // between two signs of life on /events
  std::chrono::milliseconds health_interval{5'000};
  // Called about once a second as long as looks come to an end: what feeds a watchdog.
  std::function<void()> on_alive;
};

// openapi.yaml describes every route. Camera and servers may come and go at any time.
class Service {
 public:
  // Listens and answers at once. Throws as HttpServer does.
  Service(const ServiceParts& parts, ServiceOptions options);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  http::HttpServer& http() { return *http_; }

  // False when a look has not ended long after its last time limit.
  bool Responsive();

 private:
  struct Call;
  using Reply = std::shared_ptr<http::HttpReply>;

  http::Router Routes();
  void AddLookRoutes(http::Router& router);
  http::Handler Guarded(http::Handler handler);
  void Refuse(const Reply& reply, int status, std::string_view message, const char* reason);

  void Look(const http::HttpRequest& request, const Reply& reply);
  void See(const http::HttpRequest& request, const Reply& reply);
  void Hear(const http::HttpRequest& request, const Reply& reply);
  void Detect(const http::HttpRequest& request, const Reply& reply);
  void Enqueue(const std::shared_ptr<Call>& call, std::function<Report(Call&)> look);
  std::function<void()> JobOf(const std::shared_ptr<Call>& call, std::function<void(Call&)> run);
  Report LookNow(Call& call, const LookOptions& options);
  Report SeePicture(Call& call, const cv::Mat& bgr);
  Report Reported(Call& call, const Camera::View& view, const std::string& camera,
                  const LookOptions& options);
  Camera::View FreshView(Call& call);
  void Save(const cv::Mat& bgr, const Report& report);
  LookEvents EventsOf(Call& call);
  void AnswerHeard(Call& call, const std::string& text);
  void Tell(Call& call, const char* event, const Json& data, bool to_all = true);

  void SendReport(const Reply& reply);
  void SendFrame(const Reply& reply);
  void SendReady(const Reply& reply);
  void SetPrivacy(const http::HttpRequest& request, const Reply& reply);
  void Listen(const Reply& reply);
  void Monitor();

  const ServiceParts parts_;
  const ServiceOptions options_;
  Metrics metrics_;
  EventHub events_;
  std::atomic<uint64_t> next_call_{1};
  std::atomic<uint64_t> privacy_switches_{0};

  std::mutex mutex_;  // of what follows
  std::optional<Report> latest_;
  std::vector<Servers::Health> health_;
  Json camera_state_;
  std::condition_variable stopping_changed_;
  bool stopping_ = false;

  JobQueue looks_;
  JobQueue detections_;
  std::thread monitor_;
  std::unique_ptr<http::HttpServer> http_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_SERVICE_H_
