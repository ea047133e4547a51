// Small ONNX files for tests.
#ifndef BAGEL_VISION_ONNX_WRITER_H_
#define BAGEL_VISION_ONNX_WRITER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace bagel::vision {

// Builds the ModelProto of a graph with one input, node by node (field numbers of onnx.proto).
class OnnxWriter {
 public:
  // Of a picture [1, 3, height, width] named "input"; -1 is a size that is not fixed.
  OnnxWriter(int64_t height, int64_t width);

  void Constant(const std::string& name, const std::vector<int64_t>& shape,
                const std::vector<float>& values);
  void Constant(const std::string& name, const std::vector<int64_t>& values);

  // `ints` are attributes that are lists of whole numbers, `numbers` single ones.
  struct Attributes {
    std::vector<std::pair<std::string, std::vector<int64_t>>> ints = {};
    std::vector<std::pair<std::string, int64_t>> numbers = {};
  };
  void Node(const std::string& op, const std::vector<std::string>& inputs,
            const std::string& output, const Attributes& attributes);
  void Node(const std::string& op, const std::vector<std::string>& inputs,
            const std::string& output) {
    Node(op, inputs, output, Attributes());
  }
  void Output(const std::string& name, const std::vector<int64_t>& shape);

  // The file's bytes; Write puts them into the file `path`.
  std::string Bytes() const;
  void Write(const std::string& path) const;

 private:
  std::string nodes_;
  std::string constants_;
  std::string inputs_;
  std::string outputs_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_ONNX_WRITER_H_
