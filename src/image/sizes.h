// The sizes to which BAGEL resizes a picture before looking at it or editing it.
#ifndef BAGEL_IMAGE_SIZES_H_
#define BAGEL_IMAGE_SIZES_H_

#include <cstdint>

namespace bagel {

struct PictureSize {
  int width = 0;
  int height = 0;
  bool operator==(const PictureSize&) const = default;
};

// One resize rule: sides are multiples of `stride`, the longest at most `max_side`, the shortest at
// least `min_side` where the other two limits allow it, and about `max_pixels` at most.
struct SizeLimits {
  int stride = 1;  // pixels
  int max_side = 0;
  int min_side = 0;
  int64_t max_pixels = 0;
};

// Rule A, for the autoencoder, and rule B, for the vision transformer, as BAGEL publishes them.
inline constexpr SizeLimits kVaeSizeLimits = {16, 1024, 512, 14 * 14 * 9 * 1024};
inline constexpr SizeLimits kVitSizeLimits = {14, 980, 224, 14 * 14 * 9 * 1024};

// Throws kInvalidArgument unless stride, min_side and max_pixels are positive, and max_side is at
// least min_side and stride and at most 65536. `where` names their source.
void CheckSizeLimits(const SizeLimits& limits, const char* where);

// The rule of BAGEL's MaxLongEdgeMinShortEdgeResize, rounding halves to even as Python does. Throws
// kInvalidArgument when a side is below 1 or above 65535.
PictureSize ResizedSize(PictureSize source, const SizeLimits& limits);

}  // namespace bagel

#endif  // BAGEL_IMAGE_SIZES_H_
