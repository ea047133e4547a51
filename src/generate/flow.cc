#include "generate/flow.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <string>
#include <utility>

#include "base/error.h"

namespace bagel {
namespace {

constexpr std::array<std::pair<Renorm, std::string_view>, 3> kRenorms = {
    {{Renorm::kGlobal, "global"},
     {Renorm::kChannel, "channel"},
     {Renorm::kTextChannel, "text_channel"}}};

void CheckRange(const char* name, double value, double low, double high) {
  if (value >= low && value <= high) return;
  std::ostringstream text;
  text << name << " is " << value << ", expected " << low << " to " << high;
  throw Error(ErrorKind::kInvalidArgument, text.str());
}

double Length(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * value;
  return std::sqrt(sum);
}

// guided *= min(1, max(least, length / (|guided| + 1e-8))).
void Shorten(std::span<float> guided, double length, double least) {
  const double scale = std::clamp(length / (Length(guided) + 1e-8), least, 1.0);
  for (float& value : guided) value = static_cast<float>(value * scale);
}

// base + scale * (v - base), in place of v.
void PushAway(std::span<float> v, std::span<const float> base, double scale) {
  for (size_t i = 0; i < v.size(); ++i)
    v[i] = static_cast<float>(base[i] + scale * (static_cast<double>(v[i]) - base[i]));
}

}  // namespace

std::string_view RenormName(Renorm renorm) {
  for (const auto& [value, name] : kRenorms) {
    if (value == renorm) return name;
  }
  return "?";
}

Renorm RenormFromName(std::string_view name) {
  for (const auto& [value, known] : kRenorms) {
    if (name == known) return value;
  }
  throw Error(ErrorKind::kInvalidArgument,
              "cfg renorm '" + std::string(name) + "' is not one of global, channel, text_channel");
}

FlowSettings EditFlowSettings() {
  FlowSettings settings;
  settings.image_scale = 2;
  settings.interval_low = 0;
  settings.renorm = Renorm::kTextChannel;
  return settings;
}

void CheckFlowSettings(const FlowSettings& settings) {
  if (settings.steps < 2 || settings.steps > 1000)
    throw Error(ErrorKind::kInvalidArgument,
                "steps is " + std::to_string(settings.steps) + ", expected 2 to 1000");
  CheckRange("timestep shift", settings.shift, 0.01, 100);
  CheckRange("cfg text scale", settings.text_scale, 0, 100);
  CheckRange("cfg image scale", settings.image_scale, 0, 100);
  CheckRange("cfg interval's begin", settings.interval_low, 0, 1);
  CheckRange("cfg interval's end", settings.interval_high, settings.interval_low, 1);
  CheckRange("cfg renorm min", settings.renorm_min, 0, 1);
}

std::vector<float> FlowTimes(const FlowSettings& settings) {
  const int count = settings.steps;
  const float step = -1.0f / static_cast<float>(count - 1);
  const auto shift = static_cast<float>(settings.shift);
  std::vector<float> times;
  for (int i = 0; i < count; ++i) {
    // From the nearer end, as torch.linspace does.
    const float t = i < count / 2 ? 1.0f + step * static_cast<float>(i)
                                  : -step * static_cast<float>(count - 1 - i);
    times.push_back(shift * t / (1.0f + (shift - 1.0f) * t));
  }
  return times;
}

FlowPasses PassesAt(const FlowSettings& settings, float time, bool image_differs) {
  const bool on = time > static_cast<float>(settings.interval_low) &&
                  time <= static_cast<float>(settings.interval_high) && settings.text_scale > 1;
  return {on, on && image_differs && settings.image_scale > 1};
}

int CountForwards(const FlowSettings& settings, bool image_differs) {
  const std::vector<float> times = FlowTimes(settings);
  TaylorSchedule schedules[3];
  int forwards = 0;
  for (size_t i = 0; i + 1 < times.size(); ++i) {
    const FlowPasses passes = PassesAt(settings, times[i], image_differs);
    const bool run[] = {true, passes.text, passes.image};
    for (size_t pass = 0; pass < 3; ++pass) {
      if (!run[pass]) continue;
      if (settings.taylorseer && !schedules[pass].NextIsComputed()) {
        schedules[pass].TakeExtrapolated();
      } else {
        schedules[pass].TakeComputed();
        ++forwards;
      }
    }
  }
  return forwards;
}

void Guide(const FlowSettings& settings, int64_t token_size, std::span<float> v,
           std::span<const float> v_no_text, std::span<const float> v_no_image) {
  const auto token = static_cast<size_t>(token_size);
  CHECK(v_no_text.size() == v.size() && v.size() % token == 0);
  CHECK(v_no_image.empty() || v_no_image.size() == v.size());
  const std::vector<float> unguided(v.begin(), v.end());
  const auto shorten_tokens = [&] {
    for (size_t i = 0; i < v.size(); i += token)
      Shorten(v.subspan(i, token), Length(std::span(unguided).subspan(i, token)),
              settings.renorm_min);
  };
  PushAway(v, v_no_text, settings.text_scale);
  if (settings.renorm == Renorm::kTextChannel) shorten_tokens();
  if (settings.image_scale > 1)
    PushAway(v, v_no_image.empty() ? unguided : v_no_image, settings.image_scale);
  if (settings.renorm == Renorm::kChannel) shorten_tokens();
  if (settings.renorm == Renorm::kGlobal) Shorten(v, Length(unguided), settings.renorm_min);
}

int64_t TaylorSchedule::TakeComputed() {
  const int64_t distance = step_ >= kFirstComputed - 1 ? step_ - last_ : 0;
  last_ = step_++;
  return distance;
}

}  // namespace bagel
