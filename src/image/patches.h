// Pictures as the rows of floats that the vision transformer reads.
#ifndef BAGEL_IMAGE_PATCHES_H_
#define BAGEL_IMAGE_PATCHES_H_

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "base/uninitialised.h"
#include "formats/picture.h"

namespace bagel {

// Each 8-bit value x becomes (x/255 - 0.5) / 0.5 in f32, so 0..255 maps to -1..1. Returns
// [height/patch * width/patch, patch * patch * 3]: patches by row, then column; inside a patch row,
// column, channel. The sides must be multiples of `patch`. `pool`, where given, shares the
// work.
UninitialisedVector<float> PatchRows(const Picture& picture, int patch, ThreadPool* pool = nullptr);

// The rows of the learned position table that belong to a grid of rows x columns patches: patch
// (r, c) has r * side + c. Throws kTooLarge when the grid is larger than side x side.
std::vector<int32_t> PatchPositions(int rows, int columns, int side);

}  // namespace bagel

#endif  // BAGEL_IMAGE_PATCHES_H_
