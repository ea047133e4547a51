#include "vision/shared_metrics.h"

#include <prometheus/text_serializer.h>

#include <limits>

namespace bagel::vision {

void RaiseTo(prometheus::Counter& counter, uint64_t value) {
  const auto target = static_cast<double>(value);
  if (target > counter.Value()) {
    counter.Increment(target - counter.Value());
  }
}

prometheus::Family<prometheus::Gauge>& AddGauge(prometheus::Registry& registry,
                                                const std::string& name, const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Counter>& AddCounter(prometheus::Registry& registry,
                                                    const std::string& name,
                                                    const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

std::string MetricsText(const prometheus::Registry& registry) {
  return prometheus::TextSerializer().Serialize(registry.Collect());
}

SharedMetrics::SharedMetrics(prometheus::Registry& registry)
    : camera_up_(AddGauge(registry, "sophia_camera_up", "1 while the camera gives usable frames.")),
      frame_age_(AddGauge(registry, "sophia_frame_age_seconds",
                          "Age of the newest frame, NaN without one.")),
      frames_(AddCounter(registry, "sophia_frames_total", "Frames that were decoded.")),
      broken_(AddCounter(registry, "sophia_broken_frames_total",
                         "Frames that could not be decoded whole.")),
      reconnects_(
          AddCounter(registry, "sophia_reconnects_total", "Attempts to open the camera again.")),
      server_up_(AddGauge(registry, "sophia_server_up", "1 while the vision server answers.")) {}

void SharedMetrics::Set(const std::string& camera, const Camera::Statistics& statistics) {
  const prometheus::Labels labels{{"camera", camera}};
  camera_up_.Add(labels).Set(statistics.state == State::kOk ? 1 : 0);
  frame_age_.Add(labels).Set(statistics.age ? static_cast<double>(statistics.age->count()) / 1000
                                            : std::numeric_limits<double>::quiet_NaN());
  RaiseTo(frames_.Add(labels), statistics.frames);
  RaiseTo(broken_.Add(labels), statistics.broken);
  RaiseTo(reconnects_.Add(labels), statistics.reconnects);
}

void SharedMetrics::Set(const std::vector<Servers::Health>& servers) {
  for (const Servers::Health& server : servers) {
    server_up_.Add({{"server", server.url}}).Set(server.up ? 1 : 0);
  }
}

}  // namespace bagel::vision
