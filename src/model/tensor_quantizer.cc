#include "model/tensor_quantizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <future>
#include <utility>

#include "base/error.h"
#include "formats/quote.h"
#include "quant/codec.h"

namespace bagel {
namespace {

constexpr int64_t kPieceBytes = 16 << 20;
constexpr size_t kReadAheadBytes = 64 << 20;
constexpr int64_t kPieceValues = 8 << 20;
constexpr int64_t kTaskValues = 16 << 10;

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
size_t NestedStateBytes(DType dtype, const std::vector<int64_t>& shape) {
  constexpr float kZero = 0;
  constexpr size_t kLongest = std::string_view("-1.1754943508222875e-38").size();
  const size_t shortest = std::string_view("0.0").size();
  return Nf4StateText(TorchName(dtype), shape, &kZero).size() - shortest + kLongest;
}

template <typename T>
std::span<const std::byte> Bytes(const T& values) {
  return std::as_bytes(std::span(values.data(), values.size()));
}

// Asks for what lies in the file some way behind `piece`: tensors follow one another as they are
// stored.
void ReadAhead(const MappedFile* file, std::span<const std::byte> piece) {
  if (file == nullptr) return;
  const std::span<const std::byte> bytes = file->bytes();
  const size_t offset = static_cast<size_t>(piece.data() - bytes.data()) + kReadAheadBytes;
  if (offset < bytes.size())
    file->WillNeed(bytes.subspan(offset, std::min(piece.size(), bytes.size() - offset)));
}

[[noreturn]] void FailNotFinite(const MappedFile* file, const std::string& name) {
  throw Error(ErrorKind::kCorrupt, (file == nullptr ? "" : file->path() + ": ") + "tensor " +
                                       Quote(name) +
                                       ": expected finite values, found infinity or NaN");
}

}  // namespace

TensorQuantizer::TensorQuantizer(ThreadPool& pool, std::function<void(uint64_t)> on_read)
    : pool_(pool), on_read_(std::move(on_read)), values_(static_cast<size_t>(pool.threads())) {}

std::vector<TensorDeclaration> TensorQuantizer::Declare(const TensorDeclaration& tensor,
                                                        StoredFormat format) {
  if (format == StoredFormat::kAsIs) return {tensor};
  const auto& [name, dtype, shape] = tensor;
  CHECK(shape.size() == 2);
  const int64_t count = shape[0] * shape[1], blocks = Nf4Blocks(count);
  if (format == StoredFormat::kInt8Block64)
    return {{name, DType::kI8, shape},
            {NameBeside(name, kInt8ScaleSuffix), DType::kF16, {shape[0], ScaleBlocks(shape[1])}}};
  std::vector<TensorDeclaration> parts = {{name, DType::kU8, {(count + 1) / 2, 1}}};
  auto state_bytes = static_cast<int64_t>(Nf4StateText(TorchName(dtype), shape, nullptr).size());
  if (format == StoredFormat::kNf4) {
    state_bytes = static_cast<int64_t>(NestedStateBytes(dtype, shape));
    parts.push_back({name + ".absmax", DType::kU8, {blocks}});
    parts.push_back({name + ".nested_absmax", DType::kF32, {Nf4NestedBlocks(blocks)}});
    parts.push_back({name + ".nested_quant_map", DType::kF32, {256}});
  } else {
    parts.push_back({name + ".absmax", DType::kF32, {blocks}});
  }
  parts.push_back({name + ".quant_map", DType::kF32, {16}});
  parts.push_back({NameBeside(name, kNf4StateSuffix), DType::kU8, {state_bytes}});
  return parts;
}

void TensorQuantizer::Write(SafetensorsWriter& writer, const MappedFile* file,
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
    ReadAhead(source.file, piece);
    writer.Append(source.name, piece);
    if (source.file != nullptr) source.file->DontNeed(piece);
    on_read_(piece.size());
  }
}

void TensorQuantizer::ForEachPiece(const Source& source, int64_t piece, int64_t task_values,
                                   const PieceTask& task, const PieceWriter& write) {
  const int64_t total = source.entry.elements();
  const auto element = static_cast<int64_t>(DTypeSize(source.entry.dtype));
  const auto bytes = [&](int64_t first, int64_t count) {
    return source.entry.data.subspan(static_cast<size_t>(first * element),
                                     static_cast<size_t>(count * element));
  };
  std::future<void> writing;
  for (int64_t first = 0, index = 0; first < total; first += piece, ++index) {
    const Piece part{static_cast<size_t>(index % 2), first, std::min(piece, total - first)};
    ReadAhead(source.file, bytes(first, part.count));
    pool_.ParallelFor((part.count + task_values - 1) / task_values, [&](int64_t n, int thread) {
      std::vector<float>& values = values_[static_cast<size_t>(thread)];
      values.resize(static_cast<size_t>(task_values));
      const int64_t from = n * task_values, size = std::min(task_values, part.count - from);
      const Weight row{SourceFormat(source.entry.dtype), 1, size, bytes(first + from, size).data()};
      UnpackRow(row, 0, values.data());
      task(part, from, {values.data(), static_cast<size_t>(size)});
    });
    if (writing.valid()) writing.get();
    writing = std::async(std::launch::async, [&, part] {
      write(part);
      if (source.file != nullptr) source.file->DontNeed(bytes(part.first, part.count));
    });
    on_read_(static_cast<uint64_t>(part.count * element));
  }
  if (writing.valid()) writing.get();
}

void TensorQuantizer::WriteInt8(SafetensorsWriter& writer, const Source& source) {
  const int64_t out = source.entry.shape[0], in = source.entry.shape[1];
  const int64_t rows = std::clamp<int64_t>(kTaskValues / std::max<int64_t>(in, 1), 1, 1024);
  const int64_t tasks = std::clamp<int64_t>(kPieceValues / (rows * in), 1, 1024);
  const int64_t blocks = ScaleBlocks(in);
  std::array<std::vector<int8_t>, 2> codes;
  for (std::vector<int8_t>& slot : codes) slot.resize(static_cast<size_t>(tasks * rows * in));
  std::vector<uint16_t> scales(static_cast<size_t>(out * blocks));
  ForEachPiece(
      source, tasks * rows * in, rows * in,
      [&](const Piece& piece, int64_t from, std::span<const float> values) {
        if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); }))
          FailNotFinite(source.file, source.name);
        const Int8Block64 packed =
            PackInt8Block64(values, static_cast<int64_t>(values.size()) / in, in);
        std::ranges::copy(packed.codes, codes[piece.slot].begin() + from);
        std::ranges::copy(packed.scales, scales.begin() + (piece.first + from) / in * blocks);
      },
      [&](const Piece& piece) {
        const std::span<const int8_t> whole(codes[piece.slot]);
        writer.Append(source.name, Bytes(whole.first(static_cast<size_t>(piece.count))));
      });
  writer.Append(NameBeside(source.name, kInt8ScaleSuffix), Bytes(scales));
}

void TensorQuantizer::WriteNf4(SafetensorsWriter& writer, const Source& source, bool nested) {
  static_assert(kTaskValues % kNf4Block == 0 && kPieceValues % kTaskValues == 0);
  const std::string& name = source.name;
  const int64_t total = source.entry.elements();
  std::array<std::vector<uint8_t>, 2> packed;
  for (std::vector<uint8_t>& slot : packed)
    slot.resize(static_cast<size_t>((std::min(total, kPieceValues) + 1) / 2));
  std::vector<float> absmax(static_cast<size_t>(Nf4Blocks(total)));
  ForEachPiece(
      source, kPieceValues, kTaskValues,
      [&](const Piece& piece, int64_t from, std::span<const float> values) {
        if (!PackNf4(values, packed[piece.slot].data() + from / 2,
                     absmax.data() + (piece.first + from) / kNf4Block))
          FailNotFinite(source.file, name);
      },
      [&](const Piece& piece) {
        const std::span<const uint8_t> whole(packed[piece.slot]);
        writer.Append(name, Bytes(whole.first(static_cast<size_t>((piece.count + 1) / 2))));
      });
  std::string state;
  if (nested) {
    const Nf4Nested magnitudes = NestNf4(absmax);
    writer.Append(name + ".absmax", Bytes(magnitudes.codes));
    writer.Append(name + ".nested_absmax", Bytes(magnitudes.absmax));
    writer.Append(name + ".nested_quant_map", Bytes(Nf4NestedMap()));
    state = Nf4StateText(TorchName(source.entry.dtype), source.entry.shape, &magnitudes.offset);
    state.resize(NestedStateBytes(source.entry.dtype, source.entry.shape), ' ');
  } else {
    writer.Append(name + ".absmax", Bytes(absmax));
    state = Nf4StateText(TorchName(source.entry.dtype), source.entry.shape, nullptr);
  }
  writer.Append(name + ".quant_map", Bytes(Nf4Map()));
  writer.Append(NameBeside(name, kNf4StateSuffix), Bytes(state));
}

}  // namespace bagel
