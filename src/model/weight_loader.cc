#include "model/weight_loader.h"

#include "base/available_memory.h"
#include "model/layer_stream.h"
#include "model/stored_weight.h"

namespace bagel {

WeightLoader::WeightLoader(const SafetensorsFolder& checkpoint, Ops& ops, WeightMemory& memory)
    : checkpoint_(checkpoint), ops_(ops), memory_(memory), copies_nf4_(HasRoomForNf4()) {}

void WeightLoader::Hold(const std::string& prefix, std::vector<void*>& held) {
  held_prefix_ = prefix;
  held_ = &held;
}

void WeightLoader::Matrix(Weight& weight, const std::string& name, int64_t out, int64_t in,
                          bool has_bias) {
  Table(weight, name + ".weight", out, in);
  if (has_bias) Vector(weight.bias, name + ".bias", out);
}

void WeightLoader::Table(Weight& weight, const std::string& name, int64_t out, int64_t in) {
  const Weight host = FindWeight(checkpoint_, name, out, in);
  const bool holds = held_ != nullptr && name.starts_with(held_prefix_);
  WeightMemory passing(ops_);
  weight = ops_.Place(host, name, holds ? passing : memory_);
  if (holds && weight.data != host.data) MoveToHost(weight);
  const std::span<const std::byte> stored = checkpoint_.Get(name).data;
  // A decode step reads 4-bit weights a third faster from the device's own memory (large pages)
  // than from the mapped file.
  if (weight.data == host.data && weight.format == WeightFormat::kNf4 && copies_nf4_)
    weight.data = Copy(stored);
  if (weight.data == host.data) return;
  for (const SafetensorsFile& file : checkpoint_.files())
    if (file.tensors().contains(name)) file.file().DontNeed(stored);
}

void WeightLoader::TokenTable(Weight& weight, const std::string& name, int64_t out, int64_t in) {
  weight = FindWeight(checkpoint_, name, out, in);
}

void WeightLoader::Vector(const float*& vector, const std::string& name, int64_t size) {
  const Weight row{FloatFormat(checkpoint_, name, {size}), 1, size,
                   checkpoint_.Get(name).data.data()};
  std::vector<float> values(static_cast<size_t>(size));
  UnpackRow(row, 0, values.data());
  vector = Upload(values);
}

void WeightLoader::Convolution(Weight& weight, const std::string& name, int64_t out, int64_t in,
                               int64_t kernel) {
  const int64_t taps = kernel * kernel;
  const Weight stored = FindWeight(checkpoint_, name + ".weight", {out, in, kernel, kernel});
  std::vector<float> row(static_cast<size_t>(taps * in)), values;
  values.reserve(static_cast<size_t>(out * taps * in));
  for (int64_t o = 0; o < out; ++o) {
    UnpackRow(stored, o, row.data());
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t i = 0; i < in; ++i) values.push_back(row[static_cast<size_t>(i * taps + tap)]);
    }
  }
  weight = ops_.Place({WeightFormat::kF32, out, taps * in, values.data()}, name, memory_);
  if (weight.data == values.data()) weight.data = Upload(values);
  Vector(weight.bias, name + ".bias", out);
}

const void* WeightLoader::Copy(std::span<const std::byte> bytes) {
  void* copy = memory_.Take(bytes.size());
  ops_.CopyToDevice(copy, bytes.data(), bytes.size());
  return copy;
}

void WeightLoader::MoveToHost(Weight& weight) {
  held_->push_back(nullptr);
  held_->back() = ops_.AllocateHost(MovedBytes(weight));
  weight = Moved(weight, held_->back(), [this](void* to, const void* from, size_t bytes) {
    ops_.CopyToHost(to, from, bytes);
  });
}

const float* WeightLoader::Upload(std::span<const float> values) {
  return static_cast<const float*>(Copy(std::as_bytes(values)));
}

bool WeightLoader::HasRoomForNf4() const {
  size_t bytes = 0;
  for (const auto& [name, entry] : checkpoint_.tensors())
    if (checkpoint_.Find(name + std::string(kNf4StateSuffix)) != nullptr)
      bytes += entry.data.size();
  return bytes <= AvailableMemory() / 2;
}

}  // namespace bagel
