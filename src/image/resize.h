// Pillow's bicubic resize, to the byte.
#ifndef BAGEL_IMAGE_RESIZE_H_
#define BAGEL_IMAGE_RESIZE_H_

#include "base/thread_pool.h"
#include "formats/picture.h"
#include "image/sizes.h"

namespace bagel {

// Image.resize(size, BICUBIC) of an RGB picture, as of Pillow 13: antialiased (the kernel widens
// when shrinking), in two passes, each in fixed point and rounded to 8 bits; columns go first, or
// rows where the height shrinks much more than the width. A pass whose size does not change is left
// out. Both sides of `size` are at least 1. `pool`, where given, shares the work; the result is the
// same.
Picture ResizeBicubic(const Picture& picture, PictureSize size, ThreadPool* pool = nullptr);

// Resized by rule `limits`: ResizeBicubic to ResizedSize.
Picture ResizeByRule(const Picture& picture, const SizeLimits& limits, ThreadPool* pool = nullptr);

}  // namespace bagel

#endif  // BAGEL_IMAGE_RESIZE_H_
