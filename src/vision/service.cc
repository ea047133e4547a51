#include "vision/service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "vision/json_line.h"
#include "vision/uploads.h"
#include "vision/words.h"

namespace bagel::vision {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick{1'000};
constexpr milliseconds kGrace{60'000};  // after the last time limit of a look

std::string ErrorBody(std::string_view message) { return JsonLine({{"error", message}}); }

Json StateJson(State state, const std::string& detail) {
  return {{"state", StateName(state)}, {"detail", detail}};
}

}  // namespace

Service::Service(const ServiceParts& parts, ServiceOptions options)
    : parts_(parts),
      options_(std::move(options)),
      metrics_(parts.camera.name()),
      events_(options_.max_listeners, options_.keep_alive),
      camera_state_(StateJson(State::kStarting, "")),
      looks_(options_.max_waiting),
      detections_(options_.max_waiting) {
  http::ServerOptions http = options_.http;
  http.error_body = ErrorBody;
  http.guard.open_paths = {"/healthz"};
  http.on_stop = [this] { events_.Close(); };
  http_ = std::make_unique<http::HttpServer>(std::move(http), Routes());
  parts_.camera.OnState([this](State state, const std::string& detail) {
    const Json json = StateJson(state, detail);
    {
      const std::lock_guard lock(mutex_);
      camera_state_ = json;
    }
    spdlog::info("camera {}: {}{}{}", parts_.camera.name(), StateName(state),
                 detail.empty() ? "" : ": ", detail);
    events_.Publish("camera_state", JsonLine(json));
  });
  monitor_ = std::thread([this] { Monitor(); });
}

Service::~Service() {
  parts_.camera.OnState(nullptr);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopping_changed_.notify_all();
  monitor_.join();
  // Its clients are gone with it, so that what runs stops.
  http_.reset();
}

http::Router Service::Routes() {
  using http::HttpRequest;
  using http::Work;
  http::Router router;
  AddLookRoutes(router);
  const auto add = [&](const char* method, const char* path, Work work, auto function) {
    router.Add(method, path, work,
               Guarded([this, function](const HttpRequest&, const Reply& reply) {
                 (this->*function)(reply);
               }));
  };
  add("GET", "/report", Work::kLight, &Service::SendReport);
  add("GET", "/frame.jpg", Work::kHeavy, &Service::SendFrame);
  add("GET", "/events", Work::kLight, &Service::Listen);
  add("GET", "/readyz", Work::kLight, &Service::SendReady);
  router.Add("POST", "/privacy", Work::kHeavy,
             Guarded([this](const HttpRequest& request, const Reply& reply) {
               SetPrivacy(request, reply);
             }));
  router.Add("GET", "/privacy", Work::kLight, [this](const HttpRequest&, const Reply& reply) {
    reply->Send(200, kJsonType, JsonLine({{"on", parts_.camera.privacy()}}));
  });
  router.Add("GET", "/healthz", Work::kLight, [this](const HttpRequest&, const Reply& reply) {
    const bool well = Responsive();
    reply->Send(well ? 200 : 503, kJsonType, JsonLine({{"status", well ? "ok" : "stuck"}}));
  });
  router.Add("GET", "/metrics", Work::kLight, [this](const HttpRequest&, const Reply& reply) {
    std::vector<Servers::Health> health;
    {
      const std::lock_guard lock(mutex_);
      health = health_;
    }
    reply->Send(
        200, kMetricsType,
        metrics_.Text(parts_.camera.statistics(), health, looks_.waiting(), events_.listeners()));
  });
  return router;
}

// What a handler throws becomes its answer.
http::Handler Service::Guarded(http::Handler handler) {
  return [this, handler = std::move(handler)](http::HttpRequest request, const Reply& reply) {
    try {
      handler(std::move(request), reply);
    } catch (const Error& error) {
      const int status = HttpStatus(error.kind());
      Refuse(reply, status, error.what(), status < 500 ? "bad_request" : "error");
    } catch (const std::bad_alloc&) {
      Refuse(reply, 503, "out of memory", "error");
    }
  };
}

void Service::Refuse(const Reply& reply, int status, std::string_view message, const char* reason) {
  metrics_.CountRefused(reason);
  reply->Send(status, kJsonType, ErrorBody(message), status == 503 ? "Retry-After: 1\r\n" : "");
}

void Service::SendReport(const Reply& reply) {
  std::optional<Report> report;
  {
    const std::lock_guard lock(mutex_);
    report = latest_;
  }
  if (parts_.camera.privacy()) {
    Json json = StateJson(State::kPrivacy, "the camera is switched off");
    json["error"] = json["detail"];
    reply->Send(503, kJsonType, JsonLine(json));
    return;
  }
  if (!report) {
    throw Error(ErrorKind::kNotFound, "nobody has asked for a look yet");
  }
  if (report->captured_at) {
    report->age =
        std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(
                                      std::chrono::system_clock::now() - *report->captured_at));
  }
  reply->Send(200, kJsonType, ToJson(*report), "Cache-Control: no-store\r\n");
}

void Service::SendFrame(const Reply& reply) {
  const Camera::View view = parts_.camera.Newest(kTick);
  if (view.frame.bgr.empty() || view.state == State::kPrivacy) {
    Json json = StateJson(view.state, view.detail);
    json["error"] = view.detail.empty() ? StateName(view.state) : view.detail;
    reply->Send(503, kJsonType, JsonLine(json), "Retry-After: 1\r\n");
    return;
  }
  reply->Send(200, "image/jpeg", EncodeJpeg(view.frame.bgr),
              "Cache-Control: no-store\r\nX-Sophia-State: " + std::string(StateName(view.state)) +
                  "\r\nX-Sophia-Captured-At: " + IsoTime(view.frame.captured_at) + "\r\n");
}

void Service::SetPrivacy(const http::HttpRequest& request, const Reply& reply) {
  const Json json = UploadedObject(request);
  const bool on = JsonObject(json, "request").Bool("on");
  // Looks that run see this and stop, also one that took its frame in between.
  privacy_switches_ += on ? 1 : 0;
  parts_.camera.SetPrivacy(on);
  {
    const std::lock_guard lock(mutex_);
    privacy_switches_ += on ? 1 : 0;
    latest_.reset();
  }
  spdlog::info("privacy {}", on ? "on" : "off");
  reply->Send(200, kJsonType, JsonLine({{"on", on}}));
}

void Service::Listen(const Reply& reply) {
  std::string first;
  {
    const std::lock_guard lock(mutex_);
    first = EventText("camera_state", JsonLine(camera_state_));
  }
  if (!events_.Add(reply, first)) {
    Refuse(reply, 503, "too many clients listen already", "listeners");
  }
}

void Service::SendReady(const Reply& reply) {
  Json json;
  bool server_up = false;
  {
    const std::lock_guard lock(mutex_);
    json["camera"] = camera_state_;
    json["servers"] = Json::array();
    for (const Servers::Health& server : health_) {
      server_up = server_up || server.up;
      json["servers"].push_back(
          {{"url", server.url}, {"up", server.up}, {"detail", server.problem}});
    }
  }
  const std::string camera = json["camera"].value("state", "starting");
  const bool ready = server_up && (camera == "ok" || camera == "privacy");
  json["ready"] = ready;
  reply->Send(ready ? 200 : 503, kJsonType, JsonLine(json));
}

bool Service::Responsive() {
  const milliseconds language =
      parts_.language != nullptr ? parts_.language->options().total : milliseconds(0);
  milliseconds limit = options_.frame_patience + language + kGrace;
  {
    // Each server may be tried.
    const std::lock_guard lock(mutex_);
    limit += parts_.servers.options().total * static_cast<int>(health_.size() + 1);
  }
  return looks_.running_for().value_or(milliseconds(0)) < limit;
}

// Asks the servers how they are, says what has changed, and feeds the watchdog.
void Service::Monitor() {
  auto next_check = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    if (options_.on_alive && Responsive()) {
      options_.on_alive();
    }
    std::optional<std::vector<Servers::Health>> health;
    if (std::chrono::steady_clock::now() >= next_check) {
      health = parts_.servers.CheckHealth();
      next_check = std::chrono::steady_clock::now() + options_.health_interval;
    }
    lock.lock();
    if (health) {
      for (size_t i = 0; i < health->size(); ++i) {
        const Servers::Health& server = (*health)[i];
        if (i >= health_.size() || health_[i].up != server.up) {
          spdlog::info("server {}: {}", server.url,
                       server.up ? "ready" : WithoutControlBytes(server.problem, false));
        }
      }
      health_ = std::move(*health);
    }
    stopping_changed_.wait_for(lock, std::min(kTick, options_.health_interval),
                               [this] { return stopping_; });
  }
}

}  // namespace bagel::vision
