#include "vision/watch_metrics.h"

#include <chrono>
#include <utility>

#include "http/router.h"

namespace bagel::vision {

WatchMetrics::WatchMetrics()
    : shared_(registry_),
      waiting_(
          AddGauge(registry_, "sophia_events_waiting", "Events that wait for the vision server.")
              .Add({})),
      events_(AddCounter(registry_, "sophia_events_total",
                         "What was told of each camera: motion, snapshot, description, failed, "
                         "dropped, end, camera_state.")),
      lost_(AddCounter(registry_, "sophia_lost_events_total",
                       "Events that an output could not take.")),
      description_seconds_(prometheus::BuildHistogram()
                               .Name("sophia_description_seconds")
                               .Help("From the begin of an event to its words.")
                               .Register(registry_)) {}

void WatchMetrics::Count(const WatchEvent& event) {
  events_.Add({{"camera", event.camera}, {"kind", KindName(event.kind)}}).Increment();
  if (event.kind == WatchEvent::Kind::kDescription) {
    const std::chrono::duration<double> time = event.at - event.started_at;
    description_seconds_
        .Add({{"camera", event.camera}},
             prometheus::Histogram::BucketBoundaries{0.5, 1, 2.5, 5, 10, 20, 30, 60, 120})
        .Observe(time.count());
  }
}

std::unique_ptr<EventOutput> WatchMetrics::Output() {
  class Counter : public EventOutput {
   public:
    explicit Counter(WatchMetrics& metrics) : metrics_(metrics) {}
    void Write(const WatchEvent& event, const std::function<bool()>& /*stop*/) override {
      metrics_.Count(event);
    }
    std::string Name() const override { return "metrics"; }

   private:
    WatchMetrics& metrics_;
  };
  return std::make_unique<Counter>(*this);
}

std::string WatchMetrics::Text(Watch& watch, const std::vector<Servers::Health>& servers) {
  const std::lock_guard lock(text_mutex_);
  for (const auto& [camera, statistics] : watch.cameras()) {
    shared_.Set(camera, statistics);
  }
  shared_.Set(servers);
  waiting_.Set(static_cast<double>(watch.waiting()));
  for (const auto& [output, lost] : watch.lost()) {
    RaiseTo(lost_.Add({{"output", output}}), lost);
  }
  return MetricsText(registry_);
}

std::unique_ptr<http::HttpServer> ServeMetrics(const std::string& host, uint16_t port,
                                               WatchMetrics& metrics, Watch& watch,
                                               Servers& servers) {
  http::Router router;
  router.Add("GET", "/metrics", http::Work::kHeavy,
             [&metrics, &watch, &servers](const http::HttpRequest&,
                                          const std::shared_ptr<http::HttpReply>& reply) {
               reply->Send(200, kMetricsType, metrics.Text(watch, servers.CheckHealth()));
             });
  http::ServerOptions options;
  options.host = host;
  options.port = port;
  options.error_type = "text/plain; charset=utf-8";
  options.error_body = [](std::string_view message) { return std::string(message) + "\n"; };
  return std::make_unique<http::HttpServer>(std::move(options), std::move(router));
}

}  // namespace bagel::vision
