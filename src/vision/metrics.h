// What a running service counts, in Prometheus' text format.
#ifndef BAGEL_VISION_METRICS_H_
#define BAGEL_VISION_METRICS_H_

#include <prometheus/histogram.h>

#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "vision/report.h"
#include "vision/shared_metrics.h"

namespace bagel::vision {

// All functions may be called from any thread. Labels are bounded: states, reasons and the servers
// of the command line.
class Metrics {
 public:
  explicit Metrics(const std::string& camera);

  void CountReport(const Report& report, double seconds);
  // `reason`: "queue_full", "listeners", "bad_request", "error".
  void CountRefused(const std::string& reason);
  void CountCancelled() { cancelled_.Increment(); }

  // Everything as it is now.
  std::string Text(const Camera::Statistics& camera, const std::vector<Servers::Health>& servers,
                   size_t waiting, size_t listeners);

 private:
  std::mutex text_mutex_;
  prometheus::Registry registry_;
  const std::string camera_;
  const prometheus::Labels labels_;
  SharedMetrics shared_;
  prometheus::Gauge& faces_;
  prometheus::Gauge& waiting_;
  prometheus::Gauge& listeners_;
  prometheus::Counter& cancelled_;
  prometheus::Histogram& report_seconds_;
  prometheus::Family<prometheus::Counter>& reports_;
  prometheus::Family<prometheus::Counter>& refused_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_METRICS_H_
