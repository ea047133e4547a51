// Networks for tests that see coloured squares, with the inputs and outputs of the real ones. Each
// cell's scores are its share of a colour; each box is its cell.
#ifndef BAGEL_VISION_TOY_NETWORKS_H_
#define BAGEL_VISION_TOY_NETWORKS_H_

#include "vision/onnx_writer.h"

namespace bagel::vision {

// Blue is a face. `size` is the side of the input, a multiple of 32.
OnnxWriter ToyYunet(int size);

// 84 rows by cells, RGB from 0 to 1: red is class 0, blue class 2.
OnnxWriter ToyYolov8(int size);

// Cells by 85 columns, BGR from 0 to 255: red is class 0, blue class 2.
OnnxWriter ToyYolox(int size);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_TOY_NETWORKS_H_
