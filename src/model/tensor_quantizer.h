// One tensor from a mapped file into a file that is being written, in another format.
#ifndef BAGEL_MODEL_TENSOR_QUANTIZER_H_
#define BAGEL_MODEL_TENSOR_QUANTIZER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "formats/safetensors.h"
#include "formats/safetensors_writer.h"
#include "model/stored_weight.h"

namespace bagel {

class TensorQuantizer {
 public:
  // `on_read` is told the bytes of every piece of input; what it throws ends the work.
  TensorQuantizer(ThreadPool& pool, std::function<void(uint64_t bytes)> on_read);

  // The tensors that Write will append, in its order. `entry` must be an F32, F16 or BF16 matrix,
  // except for kAsIs.
  static std::vector<TensorDeclaration> Declare(const std::string& name, const TensorEntry& entry,
                                                StoredFormat format);

  // Memory does not grow with the tensor, but for its magnitudes: 4 bytes for 64 values of NF4.
  // Throws kCorrupt naming file and tensor for values that are not finite, and what the writer
  // throws.
  void Write(SafetensorsWriter& writer, const SafetensorsFile& file, const std::string& name,
             const TensorEntry& entry, StoredFormat format);

 private:
  struct Source {
    const SafetensorsFile& file;
    const std::string& name;
    const TensorEntry& entry;
  };
  void WriteAsIs(SafetensorsWriter& writer, const Source& source);
  void WriteInt8(SafetensorsWriter& writer, const Source& source);
  void WriteNf4(SafetensorsWriter& writer, const Source& source, bool nested);
  // Reads values in pieces of `piece`, each in tasks of `task`; task(first, count, f32 values)
  // runs on every thread, and after a piece piece_done(first, count).
  void ForEachPiece(
      const Source& source, int64_t piece, int64_t task_values,
      const std::function<void(int64_t first, int64_t count, const float* values)>& task,
      const std::function<void(int64_t first, int64_t count)>& piece_done);

  ThreadPool& pool_;
  std::function<void(uint64_t)> on_read_;
  std::vector<std::vector<float>> values_;  // of each thread
};

}  // namespace bagel

#endif  // BAGEL_MODEL_TENSOR_QUANTIZER_H_
