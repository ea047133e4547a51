#include "model/stored_weight.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "formats/json.h"
#include "formats/quote.h"

namespace bagel {
namespace {

constexpr std::string_view kStatePrefix = ".quant_state.bitsandbytes__";
constexpr std::string_view kNf4Parts[] = {".absmax", ".quant_map", ".nested_absmax",
                                          ".nested_quant_map", kNf4StateSuffix};
constexpr StoredFormat kFormats[] = {StoredFormat::kAsIs, StoredFormat::kInt8Block64,
                                     StoredFormat::kNf4, StoredFormat::kNf4Plain};

std::string ShapeList(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (const int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

std::string FileOf(const SafetensorsFolder& checkpoint, const std::string& name) {
  for (const SafetensorsFile& file : checkpoint.files())
    if (file.Find(name) != nullptr) return file.path();
  return checkpoint.folder();
}

[[noreturn]] void Fail(const SafetensorsFolder& checkpoint, const std::string& name,
                       const std::string& expected, const std::string& found,
                       ErrorKind kind = ErrorKind::kCorrupt) {
  throw Error(kind, FileOf(checkpoint, name) + ": tensor " + Quote(name) + ": expected " +
                        expected + ", found " + found);
}

std::string Described(const TensorEntry& entry) {
  return std::string(DTypeName(entry.dtype)) + " " + ShapeList(entry.shape);
}

std::optional<WeightFormat> FloatFormatOf(DType dtype) {
  if (dtype == DType::kF32) return WeightFormat::kF32;
  if (dtype == DType::kF16) return WeightFormat::kF16;
  if (dtype == DType::kBF16) return WeightFormat::kBF16;
  return std::nullopt;
}

const TensorEntry& GetPart(const SafetensorsFolder& checkpoint, const std::string& name,
                           DType dtype, const std::vector<int64_t>& shape) {
  const TensorEntry& entry = checkpoint.Get(name);
  if (entry.dtype != dtype || entry.shape != shape)
    Fail(checkpoint, name, std::string(DTypeName(dtype)) + " " + ShapeList(shape),
         Described(entry));
  return entry;
}

// An F32 vector of finite values of at most `limit`.
const float* GetFloats(const SafetensorsFolder& checkpoint, const std::string& name, int64_t count,
                       float limit = std::numeric_limits<float>::max()) {
  const TensorEntry& entry = GetPart(checkpoint, name, DType::kF32, {count});
  const auto* values = reinterpret_cast<const float*>(entry.data.data());
  for (int64_t i = 0; i < count; ++i)
    if (!(std::fabs(values[i]) <= limit))
      Fail(checkpoint, name, limit == 1 ? "values between -1 and 1" : "finite values",
           std::to_string(values[i]) + " at " + std::to_string(i));
  return values;
}

// The fields of the quant_state.
struct Nf4State {
  std::optional<float> nested_offset;
};

Nf4State ReadState(const SafetensorsFolder& checkpoint, const std::string& name, int64_t out,
                   int64_t in, bool nested) {
  constexpr size_t kMaxBytes = 4096;
  const std::string state_name = NameBeside(name, kNf4StateSuffix);
  const TensorEntry& entry = checkpoint.Get(state_name);
  if (entry.dtype != DType::kU8 || entry.data.size() > kMaxBytes)
    Fail(checkpoint, state_name, "U8, at most 4096 bytes", Described(entry));
  const std::string where = FileOf(checkpoint, state_name) + ": tensor " + Quote(state_name);
  Nf4State state;
  try {
    const Json json =
        ParseJson({reinterpret_cast<const char*>(entry.data.data()), entry.data.size()}, where);
    const JsonObject object(json, where);
    const std::string type = object.String("quant_type");
    if (type != "nf4") Fail(checkpoint, state_name, "quant_type \"nf4\"", Quote(type));
    constexpr int64_t kMax = int64_t{1} << 32;
    const int64_t block = object.Int("blocksize", 0, kMax);
    if (block != kNf4Block)
      Fail(checkpoint, state_name, "blocksize 64", std::to_string(block), ErrorKind::kUnsupported);
    const std::vector<int64_t> shape = object.IntList("shape", 0, kMax, 8);
    if (shape != std::vector<int64_t>{out, in})
      Fail(checkpoint, state_name, "shape " + ShapeList({out, in}), ShapeList(shape));
    if (!nested) return state;
    const int64_t nested_block = object.Int("nested_blocksize", 0, kMax);
    if (nested_block != kNf4NestedBlock)
      Fail(checkpoint, state_name, "nested_blocksize 256", std::to_string(nested_block),
           ErrorKind::kUnsupported);
    constexpr double kLargest = 3.4028234e38;
    state.nested_offset = static_cast<float>(object.Double("nested_offset", -kLargest, kLargest));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInvalidArgument) throw;
    throw Error(ErrorKind::kCorrupt, error.what());
  }
  return state;
}

Weight FindNf4(const SafetensorsFolder& checkpoint, const std::string& name, int64_t out,
               int64_t in) {
  const int64_t count = out * in, blocks = Nf4Blocks(count);
  Weight weight{WeightFormat::kNf4, out, in};
  weight.data = GetPart(checkpoint, name, DType::kU8, {(count + 1) / 2, 1}).data.data();
  const TensorEntry& absmax = checkpoint.Get(NameBeside(name, ".absmax"));
  const bool nested = absmax.dtype == DType::kU8;
  const Nf4State state = ReadState(checkpoint, name, out, in, nested);
  weight.nf4.map = GetFloats(checkpoint, NameBeside(name, ".quant_map"), 16, 1);
  if (!nested) {
    weight.nf4.absmax = GetFloats(checkpoint, NameBeside(name, ".absmax"), blocks);
    return weight;
  }
  const TensorEntry& codes = GetPart(checkpoint, NameBeside(name, ".absmax"), DType::kU8, {blocks});
  weight.nf4.codes = reinterpret_cast<const uint8_t*>(codes.data.data());
  weight.nf4.nested_absmax =
      GetFloats(checkpoint, NameBeside(name, ".nested_absmax"), Nf4NestedBlocks(blocks));
  weight.nf4.nested_map = GetFloats(checkpoint, NameBeside(name, ".nested_quant_map"), 256, 1);
  weight.nf4.nested_offset = *state.nested_offset;
  return weight;
}

}  // namespace

const char* StoredFormatName(StoredFormat format) {
  switch (format) {
    case StoredFormat::kAsIs:
      return "as-is";
    case StoredFormat::kInt8Block64:
      return "int8_b64";
    case StoredFormat::kNf4:
      return "nf4";
    case StoredFormat::kNf4Plain:
      return "nf4-plain";
  }
  return "?";
}

StoredFormat FindStoredFormat(const std::string& name) {
  std::string known;
  for (const StoredFormat format : kFormats) {
    if (name == StoredFormatName(format)) return format;
    known += (known.empty() ? "" : ", ") + std::string(StoredFormatName(format));
  }
  throw Error(ErrorKind::kInvalidArgument,
              "the format is " + Quote(name) + ", expected one of " + known);
}

std::string NameBeside(const std::string& tensor, std::string_view suffix) {
  return tensor + std::string(suffix);
}

bool DescribesQuantization(std::string_view name) {
  return name.ends_with(kInt8ScaleSuffix) || name.find(kStatePrefix) != std::string_view::npos ||
         std::any_of(std::begin(kNf4Parts), std::end(kNf4Parts),
                     [&](std::string_view part) { return name.ends_with(part); });
}

bool IsQuantized(const TensorMap& tensors, const std::string& name) {
  if (tensors.contains(NameBeside(name, kInt8ScaleSuffix))) return true;
  const auto state = tensors.lower_bound(NameBeside(name, kStatePrefix));
  return state != tensors.end() && state->first.starts_with(NameBeside(name, kStatePrefix));
}

Weight FindWeight(const SafetensorsFolder& checkpoint, const std::string& name, int64_t out,
                  int64_t in) {
  return FindWeight(checkpoint, name, {out, in});
}

Weight FindWeight(const SafetensorsFolder& checkpoint, const std::string& name,
                  const std::vector<int64_t>& shape) {
  const int64_t out = shape[0];
  const int64_t in =
      std::accumulate(shape.begin() + 1, shape.end(), int64_t{1}, std::multiplies<>());
  const TensorMap& tensors = checkpoint.tensors();
  if (tensors.contains(NameBeside(name, kNf4StateSuffix)))
    return FindNf4(checkpoint, name, out, in);
  const auto state = tensors.lower_bound(NameBeside(name, kStatePrefix));
  if (state != tensors.end() && state->first.starts_with(NameBeside(name, kStatePrefix)))
    Fail(checkpoint, name, "a quantisation named nf4", Quote(state->first),
         ErrorKind::kUnsupported);
  const TensorEntry& entry = checkpoint.Get(name);
  Weight weight{WeightFormat::kF32, out, in, entry.data.data()};
  const std::string scale_name = NameBeside(name, kInt8ScaleSuffix);
  if (entry.dtype == DType::kI8 && tensors.contains(scale_name)) {
    GetPart(checkpoint, name, DType::kI8, shape);
    weight.format = WeightFormat::kInt8Block64;
    weight.scales =
        GetPart(checkpoint, scale_name, DType::kF16, {out, ScaleBlocks(in)}).data.data();
    return weight;
  }
  if (!FloatFormatOf(entry.dtype) || entry.shape != shape)
    Fail(checkpoint, name,
         "F32, F16 or BF16 " + ShapeList(shape) + ", I8 with " + scale_name + ", or U8 with " +
             NameBeside(name, kNf4StateSuffix),
         Described(entry));
  weight.format = *FloatFormatOf(entry.dtype);
  return weight;
}

int64_t StoredBytes(const TensorMap& tensors, const std::string& name) {
  const auto entry = tensors.find(name);
  if (entry == tensors.end()) return 0;
  auto bytes = static_cast<int64_t>(entry->second.data.size());
  for (auto part = std::next(entry); part != tensors.end() && part->first.starts_with(name + ".");
       ++part)
    if (DescribesQuantization(part->first)) bytes += static_cast<int64_t>(part->second.data.size());
  return bytes;
}

int64_t StoredBytes(StoredFormat format, int64_t count, int64_t in, int64_t element) {
  constexpr int64_t kStateBytes = 256, kMapBytes = 16 * 4, kNestedMapBytes = 256 * 4;
  const int64_t blocks = Nf4Blocks(count);
  switch (format) {
    case StoredFormat::kAsIs:
      return count * element;
    case StoredFormat::kInt8Block64:
      return count + count / in * ScaleBlocks(in) * 2;
    case StoredFormat::kNf4:
      return (count + 1) / 2 + blocks + 4 * Nf4NestedBlocks(blocks) + kStateBytes + kMapBytes +
             kNestedMapBytes;
    case StoredFormat::kNf4Plain:
      return (count + 1) / 2 + 4 * blocks + kStateBytes + kMapBytes;
  }
  CHECK(false);
}

WeightFormat FloatFormat(const SafetensorsFolder& checkpoint, const std::string& name,
                         const std::vector<int64_t>& shape) {
  const TensorEntry& entry = checkpoint.Get(name);
  const std::optional<WeightFormat> format = FloatFormatOf(entry.dtype);
  if (!format || entry.shape != shape)
    Fail(checkpoint, name, "F32, F16 or BF16 " + ShapeList(shape), Described(entry));
  return *format;
}

std::string Nf4StateText(std::string_view dtype, const std::vector<int64_t>& shape,
                         const float* nested_offset) {
  std::string text = "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"" +
                     std::string(dtype) + "\", \"shape\": " + ShapeList(shape);
  if (nested_offset != nullptr)
    text += ", \"nested_blocksize\": 256, \"nested_dtype\": \"float32\", \"nested_offset\": " +
            Json(static_cast<double>(*nested_offset)).dump();
  return text + "}";
}

}  // namespace bagel
