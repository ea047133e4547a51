#include "vision/toy_networks.h"

#include <cmath>

namespace bagel::vision {
namespace {

constexpr int kStrides[] = {8, 16, 32};

// What a cell's output channel is: the mean of one of the input's channels times a factor, plus a
// number.
struct Channel {
  int input = 0;
  double factor = 0;
  double bias = 0;
};

// Adds "`name`": [1, channels, cells] of one stride.
void AddCells(OnnxWriter& network, const std::string& name, int size, int stride,
              const std::vector<Channel>& channels) {
  const auto rows = static_cast<int64_t>(channels.size());
  const auto area = static_cast<size_t>(stride) * static_cast<size_t>(stride);
  std::vector<float> weights(channels.size() * 3 * area);
  std::vector<float> biases;
  for (size_t row = 0; row < channels.size(); ++row) {
    const size_t begin = (row * 3 + static_cast<size_t>(channels[row].input)) * area;
    for (size_t i = begin; i < begin + area; ++i) {
      weights[i] = static_cast<float>(channels[row].factor / static_cast<double>(area));
    }
    biases.push_back(static_cast<float>(channels[row].bias));
  }
  const int64_t side = size / stride;
  network.Constant(name + "_weights", {rows, 3, stride, stride}, weights);
  network.Constant(name + "_biases", {rows}, biases);
  network.Constant(name + "_shape", {1, rows, side * side});
  network.Node("Conv", {"input", name + "_weights", name + "_biases"}, name + "_map",
               {.ints = {{"kernel_shape", {stride, stride}}, {"strides", {stride, stride}}}});
  network.Node("Reshape", {name + "_map", name + "_shape"}, name);
}

// Adds "cells": those of all strides side by side; returns how many.
int64_t AddAllCells(OnnxWriter& network, int size, const std::vector<Channel>& channels) {
  std::vector<std::string> names;
  int64_t cells = 0;
  for (const int stride : kStrides) {
    names.push_back("cells_" + std::to_string(stride));
    AddCells(network, names.back(), size, stride, channels);
    cells += int64_t{size / stride} * (size / stride);
  }
  network.Node("Concat", names, "cells", {.numbers = {{"axis", 2}}});
  return cells;
}

}  // namespace

OnnxWriter ToyYunet(int size) {
  OnnxWriter network(size, size);
  const Channel blue = {.input = 0, .factor = 1 / 255.0};
  const Channel middle = {.bias = 0.5};
  const std::vector<std::pair<std::string, std::vector<Channel>>> outputs = {
      {"cls", {blue}},
      {"obj", {blue}},
      {"bbox", {middle, middle, {}, {}}},
      {"kps", std::vector<Channel>(10)}};
  for (const auto& [name, channels] : outputs) {
    for (const int stride : kStrides) {
      const std::string cells = name + "_" + std::to_string(stride);
      AddCells(network, cells + "_rows", size, stride, channels);
      network.Node("Transpose", {cells + "_rows"}, cells, {.ints = {{"perm", {0, 2, 1}}}});
      network.Output(cells, {1, int64_t{size / stride} * (size / stride),
                             static_cast<int64_t>(channels.size())});
    }
  }
  return network;
}

OnnxWriter ToyYolov8(int size) {
  OnnxWriter network(size, size);
  std::vector<Channel> channels(84);
  channels[4] = {.input = 0, .factor = 1};
  channels[6] = {.input = 2, .factor = 1};
  const int64_t cells = AddAllCells(network, size, channels);
  std::vector<float> boxes(static_cast<size_t>(84 * cells));
  size_t cell = 0;
  for (const int stride : kStrides) {
    for (int y = 0; y < size / stride; ++y) {
      for (int x = 0; x < size / stride; ++x, ++cell) {
        const auto count = static_cast<size_t>(cells);
        boxes[cell] = (static_cast<float>(x) + 0.5F) * static_cast<float>(stride);
        boxes[count + cell] = (static_cast<float>(y) + 0.5F) * static_cast<float>(stride);
        boxes[2 * count + cell] = boxes[3 * count + cell] = static_cast<float>(stride);
      }
    }
  }
  network.Constant("boxes", {1, 84, cells}, boxes);
  network.Node("Add", {"cells", "boxes"}, "output0");
  network.Output("output0", {1, 84, cells});
  return network;
}

OnnxWriter ToyYolox(int size) {
  OnnxWriter network(size, size);
  std::vector<Channel> channels(85);
  channels[0] = channels[1] = channels[4] = {.bias = 0.5};
  channels[4].bias = 1;
  channels[5] = {.input = 2, .factor = 1 / 255.0};
  channels[7] = {.input = 0, .factor = 1 / 255.0};
  const int64_t cells = AddAllCells(network, size, channels);
  network.Node("Transpose", {"cells"}, "output", {.ints = {{"perm", {0, 2, 1}}}});
  network.Output("output", {1, cells, 85});
  return network;
}

}  // namespace bagel::vision
