// What a watch counts, for Prometheus.
#ifndef BAGEL_VISION_WATCH_METRICS_H_
#define BAGEL_VISION_WATCH_METRICS_H_

#include <prometheus/histogram.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http/http_server.h"
#include "vision/outputs.h"
#include "vision/shared_metrics.h"
#include "vision/watch.h"

namespace bagel::vision {

// Labels are bounded by the command line: cameras, kinds of events, outputs and servers.
class WatchMetrics {
 public:
  WatchMetrics();

  // Counts what it is told. This must outlive it.
  std::unique_ptr<EventOutput> Output();

  // Everything as it is now. From any thread.
  std::string Text(Watch& watch, const std::vector<Servers::Health>& servers);

 private:
  void Count(const WatchEvent& event);

  std::mutex text_mutex_;
  prometheus::Registry registry_;
  SharedMetrics shared_;
  prometheus::Gauge& waiting_;
  prometheus::Family<prometheus::Counter>& events_;
  prometheus::Family<prometheus::Counter>& lost_;
  prometheus::Family<prometheus::Histogram>& description_seconds_;
};

// Answers GET /metrics; how the servers are is asked then, three seconds at most. All must outlive
// what is returned. Throws as HttpServer does.
std::unique_ptr<http::HttpServer> ServeMetrics(const std::string& host, uint16_t port,
                                               WatchMetrics& metrics, Watch& watch,
                                               Servers& servers);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_WATCH_METRICS_H_
