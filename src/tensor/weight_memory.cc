#include "tensor/weight_memory.h"

#include "tensor/ops.h"

namespace bagel {

WeightMemory::~WeightMemory() {
  for (void* memory : allocated_) ops_.Free(memory);
}

void WeightMemory::Reserve(size_t bytes) {
  allocated_.push_back(nullptr);
  allocated_.back() = ops_.Allocate(bytes);
  next_ = static_cast<char*>(allocated_.back());
  left_ = bytes;
}

void* WeightMemory::Take(size_t bytes) {
  const size_t room = Room(bytes);
  if (room > left_) {
    allocated_.push_back(nullptr);
    return allocated_.back() = ops_.Allocate(bytes);
  }
  void* piece = next_;
  next_ += room;
  left_ -= room;
  return piece;
}

}  // namespace bagel
