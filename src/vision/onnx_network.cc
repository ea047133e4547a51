#include "vision/onnx_network.h"

#include <cstdint>

#include "base/error.h"
#include "formats/mapped_file.h"
#include "formats/quote.h"
#include "vision/objects.h"

namespace bagel::vision {
namespace {

constexpr size_t kMaxBytes = size_t{512} << 20;

// One field of a protocol buffers message: a number or, of wire type 2, bytes.
struct Field {
  uint64_t number = 0;
  uint64_t value = 0;
  std::span<const std::byte> bytes;
};

// Reads a message field by field; stops for good at what is not one.
class Message {
 public:
  explicit Message(std::span<const std::byte> bytes) : rest_(bytes) {}

  bool Next(Field& field) {
    uint64_t key = 0;
    if (rest_.empty() || !Varint(key)) {
      return false;
    }
    field = {.number = key >> 3, .value = 0, .bytes = {}};
    switch (key & 7) {
      case 0:
        return Varint(field.value);
      case 1:
        return Take(8, field.bytes);
      case 2: {
        uint64_t length = 0;
        return Varint(length) && Take(length, field.bytes);
      }
      case 5:
        return Take(4, field.bytes);
      default:
        return false;
    }
  }

 private:
  bool Varint(uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint64_t>(rest_.front());
      rest_ = rest_.subspan(1);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        return true;
      }
    }
    return false;
  }

  bool Take(uint64_t length, std::span<const std::byte>& bytes) {
    if (length > rest_.size()) {
      return false;
    }
    bytes = rest_.first(static_cast<size_t>(length));
    rest_ = rest_.subspan(static_cast<size_t>(length));
    return true;
  }

  std::span<const std::byte> rest_;
};

// The bytes of the first field `number` of a message.
std::span<const std::byte> Part(std::span<const std::byte> bytes, uint64_t number) {
  Message message(bytes);
  for (Field field; message.Next(field);) {
    if (field.number == number) {
      return field.bytes;
    }
  }
  return {};
}

// The dimensions of a ValueInfoProto; 0 for what is not a number.
std::vector<uint64_t> Dimensions(std::span<const std::byte> value_info) {
  // type, tensor_type, shape
  Message shape(Part(Part(Part(value_info, 2), 1), 2));
  std::vector<uint64_t> dimensions;
  for (Field dimension; shape.Next(dimension);) {
    Message parts(dimension.bytes);
    uint64_t value = 0;
    for (Field part; parts.Next(part);) {
      if (part.number == 1) {  // dim_value
        value = part.value;
      }
    }
    dimensions.push_back(value);
  }
  return dimensions;
}

}  // namespace

std::optional<cv::Size> OnnxInputSize(std::span<const std::byte> bytes) {
  Message graph(Part(bytes, 7));
  for (Field field; graph.Next(field);) {
    if (field.number != 11) {  // input
      continue;
    }
    const std::vector<uint64_t> sides = Dimensions(field.bytes);
    if (sides.size() == 4 && sides[0] == 1 && sides[1] == 3 && sides[2] >= 1 &&
        sides[2] <= kMaxNetworkSide && sides[3] >= 1 && sides[3] <= kMaxNetworkSide) {
      return cv::Size(static_cast<int>(sides[3]), static_cast<int>(sides[2]));
    }
  }
  return std::nullopt;
}

OnnxNetwork::OnnxNetwork(const std::string& file) : file_(file) {
  const MappedFile mapped(file);
  const std::span<const std::byte> bytes = mapped.bytes();
  if (bytes.size() > kMaxBytes) {
    throw Error(ErrorKind::kTooLarge, Quote(file) + " has " + std::to_string(bytes.size()) +
                                          " bytes, at most " + std::to_string(kMaxBytes) +
                                          " are read");
  }
  if (Part(bytes, 7).empty()) {
    throw Error(ErrorKind::kCorrupt, Quote(file) + " is no ONNX file");
  }
  const std::optional<cv::Size> input = OnnxInputSize(bytes);
  if (!input) {
    throw Error(ErrorKind::kUnsupported,
                Quote(file) + " does not take one picture [1, 3, height, width] of a fixed size");
  }
  input_ = *input;
  try {
    net_ = cv::dnn::readNetFromONNX(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    outputs_ = net_.getUnconnectedOutLayersNames();
  } catch (const cv::Exception& error) {
    throw Error(ErrorKind::kUnsupported,
                Quote(file) + " cannot be loaded by OpenCV: " + Quote(error.err));
  }
}

std::vector<cv::Mat> OnnxNetwork::Run(const cv::Mat& picture, double scale, bool rgb) {
  const cv::Mat blob = cv::dnn::blobFromImage(picture, scale, {}, {}, rgb);
  const std::lock_guard lock(mutex_);
  try {
    std::vector<cv::Mat> results;
    net_.setInput(blob);
    net_.forward(results, outputs_);
    // What forward gives belongs to the network and changes with its next run.
    for (cv::Mat& result : results) {
      result = result.clone();
    }
    return results;
  } catch (const cv::Exception& error) {
    throw Error(ErrorKind::kUnsupported, Quote(file_) + " cannot be run: " + Quote(error.err));
  }
}

}  // namespace bagel::vision
