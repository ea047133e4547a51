#include "tensor/weight.h"

#include <cstring>

#include "base/error.h"
#include "quant/codec.h"
#include "quant/half.h"
#include "tensor/weight_memory.h"

namespace bagel {

const char* WeightFormatName(WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32:
      return "F32";
    case WeightFormat::kF16:
      return "F16";
    case WeightFormat::kBF16:
      return "BF16";
    case WeightFormat::kInt8Block64:
      return "INT8_B64";
    case WeightFormat::kNf4:
      return "NF4";
  }
  return "?";
}

namespace {

int64_t Nf4Bytes(const Weight& weight) {
  const int64_t count = weight.out * weight.in, blocks = Nf4Blocks(count);
  const int64_t magnitudes = weight.scales != nullptr      ? 2 * blocks
                             : weight.nf4.codes != nullptr ? blocks + 4 * Nf4NestedBlocks(blocks)
                                                           : 4 * blocks;
  return (count + 1) / 2 + magnitudes;
}

// Calls visit(part, bytes) for every part of `weight` that is there, `part` being its pointer.
template <typename Visit>
void ForEachPart(Weight& weight, const Visit& visit) {
  const auto call = [&](auto& part, int64_t bytes) {
    if (part != nullptr) visit(part, static_cast<size_t>(bytes));
  };
  constexpr int64_t kFloat = sizeof(float);
  const int64_t count = weight.out * weight.in;
  if (weight.format != WeightFormat::kNf4) {
    const int64_t scales = weight.scales != nullptr ? 2 * weight.out * ScaleBlocks(weight.in) : 0;
    call(weight.data, WeightBytes(weight) - scales);
    call(weight.scales, scales);
    return;
  }
  const int64_t blocks = Nf4Blocks(count), nested = Nf4NestedBlocks(blocks);
  constexpr int64_t kHalf = sizeof(uint16_t);
  call(weight.data, (count + 1) / 2);
  call(weight.scales, kHalf * blocks);
  call(weight.nf4.map, kFloat * static_cast<int64_t>(Nf4Map().size()));
  call(weight.nf4.absmax, kFloat * blocks);
  call(weight.nf4.codes, blocks);
  call(weight.nf4.nested_absmax, kFloat * nested);
  call(weight.nf4.nested_map, kFloat * static_cast<int64_t>(Nf4NestedMap().size()));
}

}  // namespace

size_t MovedBytes(const Weight& weight) {
  Weight parts = weight;
  size_t total = 0;
  ForEachPart(parts, [&](const auto*, size_t bytes) { total += WeightMemory::Room(bytes); });
  return total;
}

Weight Moved(const Weight& weight, void* memory, const CopyPart& copy) {
  Weight moved = weight;
  char* place = static_cast<char*>(memory);
  ForEachPart(moved, [&]<typename T>(const T*& part, size_t bytes) {
    copy(place, part, bytes);
    part = static_cast<const T*>(static_cast<const void*>(place));
    place += WeightMemory::Room(bytes);
  });
  return moved;
}

size_t PlacedBytes(const Weight& host) {
  Weight placed = host;
  if (host.format == WeightFormat::kF32 || host.format == WeightFormat::kBF16)
    placed.format = WeightFormat::kF16;
  if (host.format == WeightFormat::kNf4) {
    placed.scales = host.data;  // stands for the magnitudes: only whether it is there counts
    placed.nf4 = {};
    placed.nf4.map = host.nf4.map;
  }
  return MovedBytes(placed);
}

int64_t WeightRowBytes(const Weight& weight) {
  switch (weight.format) {
    case WeightFormat::kF32:
      return weight.in * 4;
    case WeightFormat::kF16:
    case WeightFormat::kBF16:
      return weight.in * 2;
    case WeightFormat::kInt8Block64:
      return weight.in + 2 * ScaleBlocks(weight.in);
    case WeightFormat::kNf4:
      return (Nf4Bytes(weight) + weight.out - 1) / weight.out;
  }
  CHECK(false);
}

int64_t WeightBytes(const Weight& weight) {
  return weight.format == WeightFormat::kNf4 ? Nf4Bytes(weight)
                                             : weight.out * WeightRowBytes(weight);
}

void UnpackRow(const Weight& weight, int64_t row, float* values) {
  CHECK(row >= 0 && row < weight.out);
  const int64_t in = weight.in;
  const auto* halves = static_cast<const uint16_t*>(weight.data) + row * in;
  switch (weight.format) {
    case WeightFormat::kF32:
      std::memcpy(values, static_cast<const float*>(weight.data) + row * in,
                  static_cast<size_t>(in) * sizeof(float));
      return;
    case WeightFormat::kF16:
      for (int64_t i = 0; i < in; ++i) values[i] = F16ToF32(halves[i]);
      return;
    case WeightFormat::kBF16:
      for (int64_t i = 0; i < in; ++i) values[i] = BF16ToF32(halves[i]);
      return;
    case WeightFormat::kInt8Block64:
      UnpackInt8Block64Row(static_cast<const int8_t*>(weight.data) + row * in,
                           static_cast<const uint16_t*>(weight.scales) + row * ScaleBlocks(in), in,
                           values);
      return;
    case WeightFormat::kNf4:
      UnpackNf4(static_cast<const uint8_t*>(weight.data), weight.nf4, row * in, in, values);
      return;
  }
}

}  // namespace bagel
