#include "model/tensor_quantizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "formats/quote.h"
#include "quant/codec.h"

namespace bagel {
namespace {

constexpr int64_t kPieceBytes = 16 << 20;
constexpr int64_t kPieceValues = 8 << 20;
constexpr int64_t kTaskValues = 16 << 10;

std::string Name(const std::string& tensor, std::string_view suffix) {
  return tensor + std::string(suffix);
}

WeightFormat SourceFormat(DType dtype) {
  CHECK(dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16);
  if (dtype == DType::kF32) return WeightFormat::kF32;
  return dtype == DType::kF16 ? WeightFormat::kF16 : WeightFormat::kBF16;
}

const char* TorchName(DType dtype) {
  if (dtype == DType::kF32) return "float32";
  return dtype == DType::kF16 ? "float16" : "bfloat16";
}

// The offset is known only after the header has been written, so its text is padded with spaces to
// the longest that an f32 can have.
size_t NestedStateBytes(const TensorEntry& entry) {
  constexpr float kZero = 0;
  constexpr size_t kLongest = std::string_view("-1.1754943508222875e-38").size();
  const size_t shortest = std::string_view("0.0").size();
  return Nf4StateText(TorchName(entry.dtype), entry.shape, &kZero).size() - shortest + kLongest;
}

template <typename T>
std::span<const std::byte> Bytes(const T& values) {
  return std::as_bytes(std::span(values.data(), values.size()));
}

[[noreturn]] void FailNotFinite(const std::string& path, const std::string& name) {
  throw Error(ErrorKind::kCorrupt,
              path + ": tensor " + Quote(name) + ": expected finite values, found infinity or NaN");
}

}  // namespace

TensorQuantizer::TensorQuantizer(ThreadPool& pool, std::function<void(uint64_t)> on_read)
    : pool_(pool), on_read_(std::move(on_read)), values_(static_cast<size_t>(pool.threads())) {}

std::vector<TensorDeclaration> TensorQuantizer::Declare(const std::string& name,
                                                        const TensorEntry& entry,
                                                        StoredFormat format) {
  if (format == StoredFormat::kAsIs) return {{name, entry.dtype, entry.shape}};
  CHECK(entry.shape.size() == 2);
  const int64_t count = entry.elements(), blocks = Nf4Blocks(count);
  if (format == StoredFormat::kInt8Block64)
    return {
        {name, DType::kI8, entry.shape},
        {Name(name, kInt8ScaleSuffix), DType::kF16, {entry.shape[0], ScaleBlocks(entry.shape[1])}}};
  std::vector<TensorDeclaration> parts = {{name, DType::kU8, {(count + 1) / 2, 1}}};
  auto state_bytes =
      static_cast<int64_t>(Nf4StateText(TorchName(entry.dtype), entry.shape, nullptr).size());
  if (format == StoredFormat::kNf4) {
    state_bytes = static_cast<int64_t>(NestedStateBytes(entry));
    parts.push_back({name + ".absmax", DType::kU8, {blocks}});
    parts.push_back({name + ".nested_absmax", DType::kF32, {Nf4NestedBlocks(blocks)}});
    parts.push_back({name + ".nested_quant_map", DType::kF32, {256}});
  } else {
    parts.push_back({name + ".absmax", DType::kF32, {blocks}});
  }
  parts.push_back({name + ".quant_map", DType::kF32, {16}});
  parts.push_back({Name(name, kNf4StateSuffix), DType::kU8, {state_bytes}});
  return parts;
}

void TensorQuantizer::Write(SafetensorsWriter& writer, const SafetensorsFile& file,
                            const std::string& name, const TensorEntry& entry,
                            StoredFormat format) {
  const Source source{file, name, entry};
  switch (format) {
    case StoredFormat::kAsIs:
      return WriteAsIs(writer, source);
    case StoredFormat::kInt8Block64:
      return WriteInt8(writer, source);
    case StoredFormat::kNf4:
    case StoredFormat::kNf4Plain:
      return WriteNf4(writer, source, format == StoredFormat::kNf4);
  }
}

void TensorQuantizer::WriteAsIs(SafetensorsWriter& writer, const Source& source) {
  const std::span<const std::byte> data = source.entry.data;
  for (size_t first = 0; first < data.size(); first += kPieceBytes) {
    const auto piece = data.subspan(first, std::min<size_t>(kPieceBytes, data.size() - first));
    writer.Append(source.name, piece);
    source.file.file().DontNeed(piece);
    on_read_(piece.size());
  }
}

void TensorQuantizer::ForEachPiece(const Source& source, int64_t piece, int64_t task_values,
                                   const std::function<void(int64_t, int64_t, const float*)>& task,
                                   const std::function<void(int64_t, int64_t)>& piece_done) {
  const int64_t total = source.entry.elements();
  const auto element = static_cast<int64_t>(DTypeSize(source.entry.dtype));
  const auto bytes = [&](int64_t first, int64_t count) {
    return source.entry.data.subspan(static_cast<size_t>(first * element),
                                     static_cast<size_t>(count * element));
  };
  source.file.file().WillNeed(bytes(0, std::min(piece, total)));
  for (int64_t first = 0; first < total; first += piece) {
    const int64_t count = std::min(piece, total - first), next = first + count;
    source.file.file().WillNeed(bytes(next, std::min(piece, total - next)));
    pool_.ParallelFor((count + task_values - 1) / task_values, [&](int64_t index, int thread) {
      std::vector<float>& values = values_[static_cast<size_t>(thread)];
      values.resize(static_cast<size_t>(task_values));
      const int64_t from = first + index * task_values;
      const int64_t size = std::min(task_values, next - from);
      const Weight row{SourceFormat(source.entry.dtype), 1, size, bytes(from, size).data()};
      UnpackRow(row, 0, values.data());
      task(from, size, values.data());
    });
    piece_done(first, count);
    source.file.file().DontNeed(bytes(first, count));
    on_read_(static_cast<uint64_t>(count * element));
  }
}

void TensorQuantizer::WriteInt8(SafetensorsWriter& writer, const Source& source) {
  const int64_t out = source.entry.shape[0], in = source.entry.shape[1];
  const int64_t rows = std::clamp<int64_t>(kTaskValues / std::max<int64_t>(in, 1), 1, 1024);
  const int64_t tasks = std::clamp<int64_t>(kPieceValues / (rows * in), 1, 1024);
  const int64_t blocks = ScaleBlocks(in);
  std::vector<int8_t> codes(static_cast<size_t>(tasks * rows * in));
  std::vector<uint16_t> scales(static_cast<size_t>(out * blocks));
  int64_t piece_first = 0;
  ForEachPiece(
      source, tasks * rows * in, rows * in,
      [&](int64_t first, int64_t count, const float* values) {
        if (!std::all_of(values, values + count, [](float v) { return std::isfinite(v); }))
          FailNotFinite(source.file.path(), source.name);
        const Int8Block64 packed =
            PackInt8Block64({values, static_cast<size_t>(count)}, count / in, in);
        std::copy(packed.codes.begin(), packed.codes.end(), codes.begin() + (first - piece_first));
        std::copy(packed.scales.begin(), packed.scales.end(), scales.begin() + first / in * blocks);
      },
      [&](int64_t first, int64_t count) {
        writer.Append(source.name, Bytes(std::span(codes).first(static_cast<size_t>(count))));
        piece_first = first + count;
      });
  writer.Append(Name(source.name, kInt8ScaleSuffix), Bytes(scales));
}

void TensorQuantizer::WriteNf4(SafetensorsWriter& writer, const Source& source, bool nested) {
  static_assert(kTaskValues % kNf4Block == 0 && kPieceValues % kTaskValues == 0);
  const std::string& name = source.name;
  const int64_t total = source.entry.elements();
  std::vector<uint8_t> packed(static_cast<size_t>(std::min(total + 1, kPieceValues) / 2));
  std::vector<float> absmax(static_cast<size_t>(Nf4Blocks(total)));
  int64_t piece_first = 0;
  ForEachPiece(
      source, kPieceValues, kTaskValues,
      [&](int64_t first, int64_t count, const float* values) {
        if (!PackNf4({values, static_cast<size_t>(count)},
                     packed.data() + (first - piece_first) / 2, absmax.data() + first / kNf4Block))
          FailNotFinite(source.file.path(), name);
      },
      [&](int64_t first, int64_t count) {
        writer.Append(name, Bytes(std::span(packed).first(static_cast<size_t>((count + 1) / 2))));
        piece_first = first + count;
      });
  std::string state;
  if (nested) {
    const Nf4Nested magnitudes = NestNf4(absmax);
    writer.Append(name + ".absmax", Bytes(magnitudes.codes));
    writer.Append(name + ".nested_absmax", Bytes(magnitudes.absmax));
    writer.Append(name + ".nested_quant_map", Bytes(Nf4NestedMap()));
    state = Nf4StateText(TorchName(source.entry.dtype), source.entry.shape, &magnitudes.offset);
    state.resize(NestedStateBytes(source.entry), ' ');
  } else {
    writer.Append(name + ".absmax", Bytes(absmax));
    state = Nf4StateText(TorchName(source.entry.dtype), source.entry.shape, nullptr);
  }
  writer.Append(name + ".quant_map", Bytes(Nf4Map()));
  writer.Append(Name(name, kNf4StateSuffix), Bytes(state));
}

}  // namespace bagel
