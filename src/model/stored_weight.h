// One matrix as a checkpoint stores it, in whatever format: which tensors it is made of, and how
// they are checked. Beside X lie, for int8_b64, X.int8_b64_scale; for NF4, bitsandbytes' tensors:
//   X                                    U8 [ceil(values / 2), 1]
//   X.absmax                             F32 [blocks], or U8 [blocks] when quantised twice
//   X.quant_map                          F32 [16]
//   X.quant_state.bitsandbytes__nf4      U8, a JSON text
//   X.nested_absmax, X.nested_quant_map  F32 [ceil(blocks / 256)], F32 [256]; quantised twice only
#ifndef BAGEL_MODEL_STORED_WEIGHT_H_
#define BAGEL_MODEL_STORED_WEIGHT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/safetensors.h"
#include "tensor/weight.h"

namespace bagel {

inline constexpr std::string_view kInt8ScaleSuffix = ".int8_b64_scale";
inline constexpr std::string_view kNf4StateSuffix = ".quant_state.bitsandbytes__nf4";

// How a matrix can be stored.
enum class StoredFormat : uint8_t {
  kAsIs,  // as the source has it
  kInt8Block64,
  kNf4,       // quantised twice
  kNf4Plain,  // with the magnitudes in f32
};

// "as-is", "int8_b64", "nf4", "nf4-plain".
const char* StoredFormatName(StoredFormat format);
// Throws kInvalidArgument listing the names.
StoredFormat FindStoredFormat(const std::string& name);

// The name of the tensor beside `tensor` that ends in `suffix`.
std::string NameBeside(const std::string& tensor, std::string_view suffix);

// Whether a tensor of this name only says how another one is quantised.
bool DescribesQuantization(std::string_view name);
// Whether the tensor `name` of the checkpoint is quantised already.
bool IsQuantized(const TensorMap& tensors, const std::string& name);

// The matrix [out, in] stored as `name`, without its bias. Throws kCorrupt, or kUnsupported for a
// quantisation that is sound but unknown, naming file, tensor, expected and found.
Weight FindWeight(const SafetensorsFolder& checkpoint, const std::string& name, int64_t out,
                  int64_t in);
// The same for a tensor of another shape, whose values behind the first dimension are a row.
Weight FindWeight(const SafetensorsFolder& checkpoint, const std::string& name,
                  const std::vector<int64_t>& shape);
// Bytes of `name` and of the tensors beside it that describe it; 0 if it is not there.
int64_t StoredBytes(const TensorMap& tensors, const std::string& name);
// What StoredBytes would be for a matrix of `count` values in rows of `in`; `element` is the bytes
// of a value for kAsIs.
int64_t StoredBytes(StoredFormat format, int64_t count, int64_t in, int64_t element);

// F32, F16 or BF16 [shape], for which the message names the tensor's file; else throws kCorrupt.
WeightFormat FloatFormat(const SafetensorsFolder& checkpoint, const std::string& name,
                         const std::vector<int64_t>& shape);

// The text of X.quant_state.bitsandbytes__nf4. `dtype` is what the values had before: "float32",
// "float16", "bfloat16". `nested_offset` is null for plain NF4.
std::string Nf4StateText(std::string_view dtype, const std::vector<int64_t>& shape,
                         const float* nested_offset);

}  // namespace bagel

#endif  // BAGEL_MODEL_STORED_WEIGHT_H_
