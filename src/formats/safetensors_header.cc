#include "formats/safetensors_header.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "formats/quote.h"

namespace bagel {
namespace {

constexpr int kMaxSkippedDepth = 64;
constexpr size_t kMaxRank = 32;

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

// Receives the parser's events and throws Error at the first that does not fit. Unknown fields of a
// tensor are skipped, as the reference implementation does.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}
  SafetensorsHeader Take() { return std::move(header_); }

  bool null() override {
    if (place_ == Place::kTop && name_ == kMetadataKey) return true;
    return Reject("null");
  }
  bool boolean(bool value) override { return Reject(value ? "true" : "false"); }
  bool number_integer(int64_t value) override { return Reject(std::to_string(value)); }
  bool number_float(double, const std::string& text) override { return Reject(Clip(text)); }
  bool binary(binary_t&) override { return Reject("binary data"); }
  bool number_unsigned(uint64_t value) override;
  bool string(std::string& value) override;
  bool start_object(size_t) override;
  bool end_object() override;
  bool start_array(size_t) override;
  bool end_array() override;
  bool key(std::string& value) override;
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    throw Error(ErrorKind::kCorrupt, path_ + ": the header is not valid JSON, broken at its byte " +
                                         std::to_string(position) +
                                         (name_.empty() ? "" : " near " + Quote(name_)));
  }

 private:
  enum class Place { kOutside, kTop, kMetadata, kTensor, kShape, kOffsets };
  static constexpr std::string_view kMetadataKey = "__metadata__";

  static std::string Clip(const std::string& text) {
    return text.size() <= 40 ? text : text.substr(0, 40) + "...";
  }
  [[noreturn]] void Fail(const std::string& what, ErrorKind kind = ErrorKind::kCorrupt) const {
    const bool named = place_ != Place::kOutside && !name_.empty();
    throw Error(kind, path_ + ": " + (named ? "tensor " + Quote(name_) + ": " : "") + what);
  }
  bool IsKnownField() const {
    return field_ == "dtype" || field_ == "shape" || field_ == "data_offsets";
  }
  bool InUnknownField() const {
    return skipped_ > 0 || (place_ == Place::kTensor && !IsKnownField());
  }
  void EnterSkipped() {
    if (++skipped_ > kMaxSkippedDepth) Fail("the header is nested too deeply");
  }
  // What stands where it does not belong: an error, unless it is in an unknown field.
  bool Reject(const std::string& found);
  void MarkSeen(bool& seen) const {
    if (seen) Fail("the field " + Quote(field_) + " comes twice");
    seen = true;
  }
  void FinishTensor();

  const std::string& path_;
  SafetensorsHeader header_;
  Place place_ = Place::kOutside;
  int skipped_ = 0;  // open brackets inside an unknown field
  std::string name_;
  std::string field_;
  SafetensorsHeaderEntry entry_;
  std::vector<uint64_t> offsets_;
  bool seen_dtype_ = false;
  bool seen_shape_ = false;
  bool seen_offsets_ = false;
};

bool HeaderReader::Reject(const std::string& found) {
  if (skipped_ > 0) return true;
  switch (place_) {
    case Place::kOutside:
      Fail("the header is " + found + ", expected an object");
    case Place::kTop:
      Fail("found " + found + ", expected an object");
    case Place::kMetadata:
      Fail("an entry is " + found + ", expected a string");
    case Place::kShape:
      Fail("a dimension is " + found + ", expected a whole number from 0 to 2^63-1");
    case Place::kOffsets:
      Fail("a data offset is " + found + ", expected a whole number from 0 to 2^63-1");
    case Place::kTensor:
      if (IsKnownField()) {
        Fail("the field " + Quote(field_) + " is " + found + ", expected " +
             (field_ == "dtype" ? "a string" : "a list"));
      }
      return true;
  }
  return true;
}

bool HeaderReader::number_unsigned(uint64_t value) {
  const bool fits = value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (skipped_ == 0 && fits && place_ == Place::kShape) {
    if (entry_.shape.size() == kMaxRank) {
      Fail("has more than " + std::to_string(kMaxRank) + " dimensions", ErrorKind::kUnsupported);
    }
    entry_.shape.push_back(static_cast<int64_t>(value));
    return true;
  }
  if (skipped_ == 0 && fits && place_ == Place::kOffsets) {
    if (offsets_.size() == 2) Fail("has more than two data offsets");
    offsets_.push_back(value);
    return true;
  }
  return Reject(std::to_string(value));
}

bool HeaderReader::string(std::string& value) {
  if (skipped_ == 0 && place_ == Place::kMetadata) {
    if (!header_.metadata.emplace(field_, value).second) {
      Fail("the key " + Quote(field_) + " comes twice");
    }
    return true;
  }
  if (skipped_ == 0 && place_ == Place::kTensor && field_ == "dtype") {
    MarkSeen(seen_dtype_);
    const std::optional<DType> dtype = DTypeFromName(value);
    if (!dtype) {
      Fail(
          "the dtype is " + Quote(value, 40) + ", expected F32, F16, BF16, U8 or another known one",
          ErrorKind::kUnsupported);
    }
    entry_.dtype = *dtype;
    return true;
  }
  return Reject("the string " + Quote(value, 40));
}

bool HeaderReader::start_object(size_t) {
  if (InUnknownField()) {
    EnterSkipped();
  } else if (place_ == Place::kOutside) {
    place_ = Place::kTop;
  } else if (place_ == Place::kTop) {
    place_ = name_ == kMetadataKey ? Place::kMetadata : Place::kTensor;
    entry_ = {};
    offsets_.clear();
    seen_dtype_ = seen_shape_ = seen_offsets_ = false;
    field_.clear();
  } else {
    Reject("an object");
  }
  return true;
}

bool HeaderReader::start_array(size_t) {
  if (InUnknownField()) {
    EnterSkipped();
  } else if (place_ == Place::kTensor && field_ == "shape") {
    MarkSeen(seen_shape_);
    place_ = Place::kShape;
  } else if (place_ == Place::kTensor && field_ == "data_offsets") {
    MarkSeen(seen_offsets_);
    place_ = Place::kOffsets;
  } else {
    Reject("a list");
  }
  return true;
}

bool HeaderReader::end_array() {
  if (skipped_ > 0) {
    --skipped_;
  } else {
    place_ = Place::kTensor;
  }
  return true;
}

bool HeaderReader::end_object() {
  if (skipped_ > 0) {
    --skipped_;
  } else if (place_ == Place::kTop) {
    place_ = Place::kOutside;
  } else {
    if (place_ == Place::kTensor) FinishTensor();
    place_ = Place::kTop;
  }
  return true;
}

bool HeaderReader::key(std::string& value) {
  if (skipped_ > 0) return true;
  if (place_ != Place::kTop) {
    field_ = value;
    return true;
  }
  name_ = value;
  if (header_.tensors.contains(name_)) Fail("the name comes twice");
  return true;
}

void HeaderReader::FinishTensor() {
  if (!seen_dtype_ || !seen_shape_ || !seen_offsets_) {
    Fail(std::string("the field \"") +
         (!seen_dtype_   ? "dtype"
          : !seen_shape_ ? "shape"
                         : "data_offsets") +
         "\" is missing");
  }
  if (offsets_.size() != 2) {
    Fail("has " + std::to_string(offsets_.size()) + " data offsets, expected two");
  }
  entry_.begin = offsets_[0];
  entry_.end = offsets_[1];
  // Zeros count as ones, so that no partial product of dimensions overflows later on.
  int64_t bytes = static_cast<int64_t>(DTypeSize(entry_.dtype));
  bool empty = false;
  for (const int64_t dimension : entry_.shape) {
    empty = empty || dimension == 0;
    if (__builtin_mul_overflow(bytes, dimension == 0 ? 1 : dimension, &bytes)) {
      Fail("the shape " + ShapeText(entry_.shape) + " overflows 2^63-1 bytes");
    }
  }
  if (empty) bytes = 0;
  if (entry_.end < entry_.begin || entry_.end - entry_.begin != static_cast<uint64_t>(bytes)) {
    Fail("data offsets " + std::to_string(entry_.begin) + " to " + std::to_string(entry_.end) +
         " do not span the " + std::to_string(bytes) + " bytes of " +
         std::string(DTypeName(entry_.dtype)) + " " + ShapeText(entry_.shape));
  }
  header_.tensors.emplace(name_, std::move(entry_));
}

}  // namespace

SafetensorsHeader ParseSafetensorsHeader(std::string_view json, const std::string& path) {
  if (!IsValidUtf8(json)) {
    throw Error(ErrorKind::kCorrupt, path + ": the header is not valid UTF-8");
  }
  if (json.empty() || json.front() != '{') {
    throw Error(ErrorKind::kCorrupt, path + ": the header does not begin with {");
  }
  HeaderReader reader(path);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  return reader.Take();
}

}  // namespace bagel
