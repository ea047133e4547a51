// The names of the 80 classes of COCO (Lin et al., "Microsoft COCO", 2014) in YOLO's order.
#ifndef BAGEL_VISION_COCO_LABELS_H_
#define BAGEL_VISION_COCO_LABELS_H_

#include <string>

namespace bagel::vision {

// Of class `id` of a detector that knows `classes`: COCO's name if they are 80, else "class 7".
std::string ClassLabel(int id, int classes);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_COCO_LABELS_H_
