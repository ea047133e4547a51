// Tensors of a checkpoint as weights on a device.
#ifndef BAGEL_MODEL_WEIGHT_LOADER_H_
#define BAGEL_MODEL_WEIGHT_LOADER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "tensor/ops.h"
#include "tensor/weight.h"
#include "tensor/weight_memory.h"

namespace bagel {

// Finds tensors, checks them, and makes weights of them. Throws Error naming file, tensor, expected
// and found.
class WeightLoader {
 public:
  // What is copied lies in `memory`.
  WeightLoader(const SafetensorsFolder& checkpoint, Ops& ops, WeightMemory& memory);

  // From here on matrices whose names begin with `prefix`, in the form in which the device wants
  // them, stay in host memory that is added to `held`.
  void Hold(const std::string& prefix, std::vector<void*>& held);

  // `name`.weight [out, in], and `name`.bias [out].
  void Matrix(Weight& weight, const std::string& name, int64_t out, int64_t in, bool has_bias);
  void Table(Weight& weight, const std::string& name, int64_t out, int64_t in);
  // Rows of token ids stay in the file: few of them are read.
  void TokenTable(Weight& weight, const std::string& name, int64_t out, int64_t in);
  void Vector(const float*& vector, const std::string& name, int64_t size);
  // [out, in, kernel, kernel] as stored becomes [out, kernel * kernel * in], channels innermost.
  void Convolution(Weight& weight, const std::string& name, int64_t out, int64_t in,
                   int64_t kernel);

 private:
  const void* Copy(std::span<const std::byte> bytes);
  // Copies a weight from the device to host memory.
  void MoveToHost(Weight& weight);
  const float* Upload(std::span<const float> values);
  // Copies must leave as much memory as they take.
  bool HasRoomForNf4() const;

  const SafetensorsFolder& checkpoint_;
  Ops& ops_;
  WeightMemory& memory_;
  std::string held_prefix_;
  std::vector<void*>* held_ = nullptr;
  bool copies_nf4_;
};

}  // namespace bagel

#endif  // BAGEL_MODEL_WEIGHT_LOADER_H_
