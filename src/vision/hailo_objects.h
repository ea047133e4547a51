// YOLO on a Hailo-8 or Hailo-8L of this machine.
#ifndef BAGEL_VISION_HAILO_OBJECTS_H_
#define BAGEL_VISION_HAILO_OBJECTS_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vision/hailort.h"
#include "vision/objects.h"

namespace bagel::vision {

// Opens the device with the network `hef`; an empty one is the first of those that Raspberry Pi OS
// installs. Throws Error as HailoRt does, kNotFound if there is no device or network, kUnsupported
// for a network that is not one picture in, NMS by class out.
std::unique_ptr<ObjectFinder> MakeHailoObjects(const std::string& hef);

struct HailoBox {
  int class_id;
  hailo::Box box;
};

// Reads the NMS-by-class output: for each class the number of its boxes as a float, then the boxes.
// Throws kCorrupt for a number that is not whole, not from 0 to `max_boxes` or not in the buffer.
std::vector<HailoBox> ParseNmsByClass(std::span<const std::byte> buffer, uint32_t classes,
                                      uint32_t max_boxes);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_HAILO_OBJECTS_H_
