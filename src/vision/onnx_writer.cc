#include "vision/onnx_writer.h"

#include <cstring>
#include <fstream>

namespace bagel::vision {
namespace {

std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) {
    bytes += static_cast<char>((value & 0x7f) | 0x80);
  }
  return bytes + static_cast<char>(value);
}

std::string Number(uint64_t field, int64_t value) {
  return Varint(field << 3) + Varint(static_cast<uint64_t>(value));
}

std::string Part(uint64_t field, const std::string& bytes) {
  return Varint(field << 3 | 2) + Varint(bytes.size()) + bytes;
}

template <typename T>
std::string Raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// A ValueInfoProto of floats.
std::string Value(const std::string& name, const std::vector<int64_t>& shape) {
  std::string dimensions;
  for (const int64_t size : shape) {
    dimensions += Part(1, size < 0 ? Part(2, "n") : Number(1, size));
  }
  return Part(1, name) + Part(2, Part(1, Number(1, 1) + Part(2, dimensions)));
}

// A TensorProto; type 1 is float, 7 int64.
std::string Tensor(const std::string& name, const std::vector<int64_t>& shape, int64_t type,
                   const std::string& raw) {
  std::string bytes;
  for (const int64_t size : shape) {
    bytes += Number(1, size);
  }
  return bytes + Number(2, type) + Part(8, name) + Part(9, raw);
}

}  // namespace

OnnxWriter::OnnxWriter(int64_t height, int64_t width)
    : inputs_(Part(11, Value("input", {1, 3, height, width}))) {}

void OnnxWriter::Constant(const std::string& name, const std::vector<int64_t>& shape,
                          const std::vector<float>& values) {
  constants_ += Part(5, Tensor(name, shape, 1, Raw(values)));
}

void OnnxWriter::Constant(const std::string& name, const std::vector<int64_t>& values) {
  constants_ += Part(5, Tensor(name, {static_cast<int64_t>(values.size())}, 7, Raw(values)));
}

void OnnxWriter::Node(const std::string& op, const std::vector<std::string>& inputs,
                      const std::string& output, const Attributes& attributes) {
  std::string node;
  for (const std::string& input : inputs) {
    node += Part(1, input);
  }
  node += Part(2, output) + Part(3, output) + Part(4, op);
  for (const auto& [name, values] : attributes.ints) {
    std::string attribute = Part(1, name);
    for (const int64_t value : values) {
      attribute += Number(8, value);
    }
    node += Part(5, attribute + Number(20, 7));
  }
  for (const auto& [name, value] : attributes.numbers) {
    node += Part(5, Part(1, name) + Number(3, value) + Number(20, 2));
  }
  nodes_ += Part(1, node);
}

void OnnxWriter::Output(const std::string& name, const std::vector<int64_t>& shape) {
  outputs_ += Part(12, Value(name, shape));
}

std::string OnnxWriter::Bytes() const {
  const std::string graph = nodes_ + Part(2, "graph") + constants_ + inputs_ + outputs_;
  return Number(1, 7) + Part(7, graph) + Part(8, Number(2, 11));
}

void OnnxWriter::Write(const std::string& path) const {
  std::ofstream(path, std::ios::binary) << Bytes();
}

}  // namespace bagel::vision
