// Copies from host memory that do not make the host wait.
#ifndef BAGEL_CUDA_UPLOAD_H_
#define BAGEL_CUDA_UPLOAD_H_

#include <cstddef>
#include <cstdint>

#include "cuda/context.h"
#include "cuda/device_buffer.h"

namespace bagel {

// Takes bytes into a ring of pinned memory, from which the device fetches them in the order of its
// stream. The caller's memory is free when Upload returns.
class Uploader {
 public:
  explicit Uploader(CudaContext& context);
  ~Uploader();
  Uploader(const Uploader&) = delete;
  Uploader& operator=(const Uploader&) = delete;

  void Upload(void* device, const void* host, size_t bytes);

  // Pinned memory that the device may read from until Upload or Take has handed out kSlots more
  // slots; at most kSlotBytes. Sent() must follow when what reads `bytes` of it is queued.
  void* Take();
  void Sent(size_t bytes);

  static constexpr size_t kSlotBytes = size_t{4} << 20;

 private:
  static constexpr int kSlots = 8;

  // Until the device has read a slot it must not change. Small ones have no event, which would take
  // longer than the copy: a step has few of them and ends with a wait for all.
  struct Slot {
    cudaEvent_t read = nullptr;
    bool has_event = false;
    int64_t waits = -1;  // CudaContext::waits() when it was sent
  };

  CudaContext& context_;
  PinnedBuffer memory_;
  Slot slots_[kSlots];
  int slot_ = 0;
};

// Copies from pinned memory on a stream of their own, so beside what the context's stream runs.
class SideCopier {
 public:
  explicit SideCopier(CudaContext& context);
  ~SideCopier();
  SideCopier(const SideCopier&) = delete;
  SideCopier& operator=(const SideCopier&) = delete;

  // Begins when what is queued on the context's stream has ended.
  void Copy(void* device, const void* pinned, size_t bytes);
  // What is queued there from now on begins when the copies have ended.
  void Await();

 private:
  CudaContext& context_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t before_ = nullptr, copied_ = nullptr;
};

}  // namespace bagel

#endif  // BAGEL_CUDA_UPLOAD_H_
