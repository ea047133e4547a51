// Where a model has the half that draws.
#ifndef BAGEL_MODEL_DRAWING_HALF_H_
#define BAGEL_MODEL_DRAWING_HALF_H_

#include <cstdint>

namespace bagel {

enum class DrawingHalf : uint8_t {
  kAlways,    // on the device
  kOnDemand,  // its decoder in host memory, from where each step that draws fetches it, layer by
              // layer; the same as kAlways on a device that reads host memory
  kOff,       // not loaded
};

}  // namespace bagel

#endif  // BAGEL_MODEL_DRAWING_HALF_H_
