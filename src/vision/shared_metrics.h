// What the service and the watch both count: cameras and vision servers.
#ifndef BAGEL_VISION_SHARED_METRICS_H_
#define BAGEL_VISION_SHARED_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <string>
#include <vector>

#include "vision/camera.h"
#include "vision/servers.h"

namespace bagel::vision {

// One label each, bounded by the command line: the camera's name, the server's URL.
class SharedMetrics {
 public:
  explicit SharedMetrics(prometheus::Registry& registry);

  // As they are now. One thread at a time.
  void Set(const std::string& camera, const Camera::Statistics& statistics);
  void Set(const std::vector<Servers::Health>& servers);

 private:
  prometheus::Family<prometheus::Gauge>& camera_up_;
  prometheus::Family<prometheus::Gauge>& frame_age_;
  prometheus::Family<prometheus::Counter>& frames_;
  prometheus::Family<prometheus::Counter>& broken_;
  prometheus::Family<prometheus::Counter>& reconnects_;
  prometheus::Family<prometheus::Gauge>& server_up_;
};

prometheus::Family<prometheus::Gauge>& AddGauge(prometheus::Registry& registry,
                                                const std::string& name, const std::string& help);
prometheus::Family<prometheus::Counter>& AddCounter(prometheus::Registry& registry,
                                                    const std::string& name,
                                                    const std::string& help);

// For what counts by itself: a counter here only ever grows. One thread at a time.
void RaiseTo(prometheus::Counter& counter, uint64_t value);

// Prometheus' text format and its type.
std::string MetricsText(const prometheus::Registry& registry);
inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace bagel::vision

#endif  // BAGEL_VISION_SHARED_METRICS_H_
