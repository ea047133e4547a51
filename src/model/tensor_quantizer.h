// One tensor, from a mapped file or from memory, into a file that is being written, in another
// format.
#ifndef BAGEL_MODEL_TENSOR_QUANTIZER_H_
#define BAGEL_MODEL_TENSOR_QUANTIZER_H_

#include <cstdint>
#include <functional>
#include <span>
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

  // The tensors that Write will append for `tensor`, in its order: an F32, F16 or BF16 matrix,
  // except for kAsIs.
  static std::vector<TensorDeclaration> Declare(const TensorDeclaration& tensor,
                                                StoredFormat format);

  // `entry` lies in `file`, or in memory where that is null. Memory does not grow with the tensor,
  // but for its magnitudes: 4 bytes for 64 values of NF4. Throws kCorrupt naming file and tensor
  // for values that are not finite, and what the writer throws.
  void Write(SafetensorsWriter& writer, const MappedFile* file, const std::string& name,
             const TensorEntry& entry, StoredFormat format);

 private:
  struct Source {
    const MappedFile* file;
    const std::string& name;
    const TensorEntry& entry;
  };
  void WriteAsIs(SafetensorsWriter& writer, const Source& source);
  void WriteInt8(SafetensorsWriter& writer, const Source& source);
  void WriteNf4(SafetensorsWriter& writer, const Source& source, bool nested);
  // Some of a tensor's values. While one piece is written the next is computed: `slot`, 0 or 1,
  // says in which of two buffers.
  struct Piece {
    size_t slot;
    int64_t first, count;
  };
  // Values [from, from + values.size()) of the piece; runs on every thread.
  using PieceTask = std::function<void(const Piece&, int64_t from, std::span<const float> values)>;
  using PieceWriter = std::function<void(const Piece&)>;
  void ForEachPiece(const Source& source, int64_t piece, int64_t task_values, const PieceTask& task,
                    const PieceWriter& write);

  ThreadPool& pool_;
  std::function<void(uint64_t)> on_read_;
  std::vector<std::vector<float>> values_;  // of each thread
};

}  // namespace bagel

#endif  // BAGEL_MODEL_TENSOR_QUANTIZER_H_
