#include "vision/metrics.h"

#include <prometheus/text_serializer.h>

#include <limits>

namespace bagel::vision {

Metrics::Metrics(const std::string& camera)
    : labels_{{"camera", camera}},
      camera_up_(AddGauge("sophia_camera_up", "1 while the camera gives usable frames.")),
      frame_age_(AddGauge("sophia_frame_age_seconds", "Age of the newest frame, NaN without one.")),
      frames_(AddCounter("sophia_frames_total", "Frames that were decoded.")),
      broken_(AddCounter("sophia_broken_frames_total", "Frames that could not be decoded.")),
      reconnects_(AddCounter("sophia_reconnects_total", "Attempts to open the camera again.")),
      faces_(AddGauge("sophia_faces", "Faces in the last report.")),
      waiting_(AddGauge("sophia_looks_waiting", "Looks that wait for their turn.")),
      listeners_(AddGauge("sophia_event_listeners", "Clients that listen to /events.")),
      cancelled_(AddCounter("sophia_cancelled_total", "Looks whose client went away.")),
      report_seconds_(
          prometheus::BuildHistogram()
              .Name("sophia_report_seconds")
              .Help("From the begin of a look to its report.")
              .Register(registry_)
              .Add(labels_, prometheus::Histogram::BucketBoundaries{0.1, 0.25, 0.5, 1, 2.5, 5, 10,
                                                                    20, 30, 60, 120})),
      reports_(prometheus::BuildCounter()
                   .Name("sophia_reports_total")
                   .Help("Reports by their state.")
                   .Register(registry_)),
      refused_(prometheus::BuildCounter()
                   .Name("sophia_refused_total")
                   .Help("Requests that were refused or failed, by reason.")
                   .Register(registry_)),
      server_up_(prometheus::BuildGauge()
                     .Name("sophia_server_up")
                     .Help("1 while the vision server answers.")
                     .Register(registry_)) {}

prometheus::Gauge& Metrics::AddGauge(const std::string& name, const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry_).Add(labels_);
}

prometheus::Counter& Metrics::AddCounter(const std::string& name, const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry_).Add(labels_);
}

// The camera counts by itself; a counter here only ever grows.
void Metrics::RaiseTo(prometheus::Counter& counter, double value) {
  if (value > counter.Value()) {
    counter.Increment(value - counter.Value());
  }
}

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
  camera_up_.Set(camera.state == State::kOk ? 1 : 0);
  frame_age_.Set(camera.age ? static_cast<double>(camera.age->count()) / 1000
                            : std::numeric_limits<double>::quiet_NaN());
  RaiseTo(frames_, static_cast<double>(camera.frames));
  RaiseTo(broken_, static_cast<double>(camera.broken));
  RaiseTo(reconnects_, static_cast<double>(camera.reconnects));
  waiting_.Set(static_cast<double>(waiting));
  listeners_.Set(static_cast<double>(listeners));
  for (const Servers::Health& server : servers) {
    server_up_.Add({{"server", server.url}}).Set(server.up ? 1 : 0);
  }
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace bagel::vision
