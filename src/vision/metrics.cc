#include "vision/metrics.h"

namespace bagel::vision {

Metrics::Metrics(const std::string& camera)
    : camera_(camera),
      labels_{{"camera", camera}},
      shared_(registry_),
      faces_(AddGauge(registry_, "sophia_faces", "Faces in the last report.").Add(labels_)),
      waiting_(AddGauge(registry_, "sophia_looks_waiting", "Looks that wait for their turn.")
                   .Add(labels_)),
      listeners_(AddGauge(registry_, "sophia_event_listeners", "Clients that listen to /events.")
                     .Add(labels_)),
      cancelled_(AddCounter(registry_, "sophia_cancelled_total", "Looks whose client went away.")
                     .Add(labels_)),
      report_seconds_(
          prometheus::BuildHistogram()
              .Name("sophia_report_seconds")
              .Help("From the begin of a look to its report.")
              .Register(registry_)
              .Add(labels_, prometheus::Histogram::BucketBoundaries{0.1, 0.25, 0.5, 1, 2.5, 5, 10,
                                                                    20, 30, 60, 120})),
      reports_(AddCounter(registry_, "sophia_reports_total", "Reports by their state.")),
      refused_(AddCounter(registry_, "sophia_refused_total",
                          "Requests that were refused or failed, by reason.")) {}

void Metrics::CountReport(const Report& report, double seconds) {
  reports_.Add({{"state", StateName(report.state)}}).Increment();
  report_seconds_.Observe(seconds);
  faces_.Set(static_cast<double>(report.faces.size()));
}

void Metrics::CountRefused(const std::string& reason) {
  refused_.Add({{"reason", reason}}).Increment();
}

std::string Metrics::Text(const Camera::Statistics& camera,
                          const std::vector<Servers::Health>& servers, size_t waiting,
                          size_t listeners) {
  const std::lock_guard lock(text_mutex_);
  shared_.Set(camera_, camera);
  shared_.Set(servers);
  waiting_.Set(static_cast<double>(waiting));
  listeners_.Set(static_cast<double>(listeners));
  return MetricsText(registry_);
}

}  // namespace bagel::vision
