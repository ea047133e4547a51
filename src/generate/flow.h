// Rectified flow as policy on plain numbers: which times, which passes, how velocities combine.
#ifndef BAGEL_GENERATE_FLOW_H_
#define BAGEL_GENERATE_FLOW_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace bagel {

// Over what the guided velocity is brought back to the length of the unguided one.
enum class Renorm {
  kGlobal,       // the whole picture
  kChannel,      // each token
  kTextChannel,  // each token, after the guidance by text and before that by pictures
};
// "global", "channel", "text_channel".
std::string_view RenormName(Renorm renorm);
// Throws kInvalidArgument for another name.
Renorm RenormFromName(std::string_view name);

// The defaults are those of the official demo for text to picture.
struct FlowSettings {
  int steps = 50;  // times from noise to picture, both ends counted: steps - 1 moves
  double shift = 3;
  double text_scale = 4;      // guidance away from the context without the text; <= 1: none
  double image_scale = 1.5;   // away from the context without pictures; <= 1: none
  double interval_low = 0.4;  // guidance is on while low < t <= high
  double interval_high = 1;
  Renorm renorm = Renorm::kGlobal;
  double renorm_min = 0;
  bool taylorseer = false;
  bool operator==(const FlowSettings&) const = default;
};
// The demo's for editing.
FlowSettings EditFlowSettings();

// Throws kInvalidArgument naming the setting, its value and its range (NaN included).
void CheckFlowSettings(const FlowSettings& settings);

// settings.steps times from 1 to 0: t = linspace(1, 0), then shift * t / (1 + (shift - 1) * t).
std::vector<float> FlowTimes(const FlowSettings& settings);

// The passes that a move at `time` combines. `image_differs`: the context without pictures is
// another one than the full one, so that its velocity is another one too.
struct FlowPasses {
  bool text = false;
  bool image = false;
  int count() const { return 1 + (text ? 1 : 0) + (image ? 1 : 0); }
};
FlowPasses PassesAt(const FlowSettings& settings, float time, bool image_differs);

// Decoder passes that a whole picture takes; those that TaylorSeer extrapolates not counted.
int CountForwards(const FlowSettings& settings, bool image_differs);

// The guided velocity in place of v [tokens, token_size]:
//   v_text = v_no_text + text_scale (v - v_no_text)
//   v_out = v_no_image + image_scale (v_text - v_no_image)
// times min(1, max(renorm_min, |v| / (|v_out| + 1e-8))). An empty v_no_image stands for v itself,
// with image_scale <= 1 for no guidance by pictures. Reference: Bagel._forward_flow.
void Guide(const FlowSettings& settings, int64_t token_size, std::span<float> v,
           std::span<const float> v_no_text, std::span<const float> v_no_image);

// Which of one pass's moves TaylorSeer computes: the first five, then every third.
class TaylorSchedule {
 public:
  bool NextIsComputed() const { return step_ < kFirstComputed || step_ - last_ >= kInterval; }
  // Counts a computed move; returns its distance to the one before, 0 where no differences are
  // taken yet.
  int64_t TakeComputed();
  // Counts an extrapolated move; returns its distance to the last computed one.
  int64_t TakeExtrapolated() { return step_++ - last_; }

 private:
  static constexpr int64_t kFirstComputed = 5;
  static constexpr int64_t kInterval = 3;
  int64_t step_ = 0;
  int64_t last_ = 0;
};

}  // namespace bagel

#endif  // BAGEL_GENERATE_FLOW_H_
