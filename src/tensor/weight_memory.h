// Memory of a device for weights, piece by piece from one block.
#ifndef BAGEL_TENSOR_WEIGHT_MEMORY_H_
#define BAGEL_TENSOR_WEIGHT_MEMORY_H_

#include <cstddef>
#include <vector>

namespace bagel {

class Ops;

// A GPU gives memory in units of 2 MB: a thousand matrices with memory of their own would take a
// tenth more than they hold.
class WeightMemory {
 public:
  // What a piece takes of a block: pieces begin on multiples of 256 bytes.
  static constexpr size_t Room(size_t bytes) {
    constexpr size_t kAlignment = 256;
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  // `ops` must outlive it.
  explicit WeightMemory(Ops& ops) : ops_(ops) {}
  ~WeightMemory();
  WeightMemory(const WeightMemory&) = delete;
  WeightMemory& operator=(const WeightMemory&) = delete;

  // Takes a block from the device for the pieces to come. Throws kOutOfMemory.
  void Reserve(size_t bytes);
  // A piece, contents undefined: of the block, or with memory of its own where that is full. Throws
  // kOutOfMemory.
  void* Take(size_t bytes);

 private:
  Ops& ops_;
  std::vector<void*> allocated_;
  char* next_ = nullptr;  // what is left of the block
  size_t left_ = 0;
};

}  // namespace bagel

#endif  // BAGEL_TENSOR_WEIGHT_MEMORY_H_
