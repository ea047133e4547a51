#include "cuda/upload.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "cuda/launch.h"
#include "cuda/small_copy.h"

namespace bagel {

Uploader::Uploader(CudaContext& context) : context_(context) {
  for (Slot& slot : slots_)
    CUDA_CHECK(cudaEventCreateWithFlags(&slot.read, cudaEventDisableTiming));
}

Uploader::~Uploader() {
  for (const Slot& slot : slots_) static_cast<void>(cudaEventDestroy(slot.read));
}

void* Uploader::Take() {
  auto* memory = static_cast<char*>(memory_.Reserve(kSlots * kSlotBytes));
  slot_ = (slot_ + 1) % kSlots;
  const Slot& slot = slots_[slot_];
  if (slot.waits == context_.waits()) {
    if (slot.has_event)
      CUDA_CHECK(cudaEventSynchronize(slot.read));
    else
      context_.Wait();
  }
  return memory + static_cast<size_t>(slot_) * kSlotBytes;
}

void Uploader::Sent(size_t bytes) {
  Slot& slot = slots_[slot_];
  slot.waits = context_.waits();
  slot.has_event = bytes > kSmallCopyBytes;
  if (slot.has_event) CUDA_CHECK(cudaEventRecord(slot.read, context_.stream()));
}

void Uploader::Upload(void* device, const void* host, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const size_t count = std::min(kSlotBytes, bytes - done);
    void* slot = Take();
    std::memcpy(slot, static_cast<const char*>(host) + done, count);
    char* to = static_cast<char*>(device) + done;
    if (count <= kSmallCopyBytes && count % sizeof(uint32_t) == 0)
      CudaSmallCopy(context_.stream(), to, slot, count);
    else
      CUDA_CHECK(cudaMemcpyAsync(to, slot, count, cudaMemcpyHostToDevice, context_.stream()));
    Sent(count);
    done += count;
  }
}

SideCopier::SideCopier(CudaContext& context) : context_(context) {
  CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  CUDA_CHECK(cudaEventCreateWithFlags(&before_, cudaEventDisableTiming));
  CUDA_CHECK(cudaEventCreateWithFlags(&copied_, cudaEventDisableTiming));
}

SideCopier::~SideCopier() {
  static_cast<void>(cudaEventDestroy(copied_));
  static_cast<void>(cudaEventDestroy(before_));
  static_cast<void>(cudaStreamDestroy(stream_));
}

void SideCopier::Copy(void* device, const void* pinned, size_t bytes) {
  CUDA_CHECK(cudaEventRecord(before_, context_.stream()));
  CUDA_CHECK(cudaStreamWaitEvent(stream_, before_, 0));
  CUDA_CHECK(cudaMemcpyAsync(device, pinned, bytes, cudaMemcpyHostToDevice, stream_));
}

void SideCopier::Await() {
  CUDA_CHECK(cudaEventRecord(copied_, stream_));
  CUDA_CHECK(cudaStreamWaitEvent(context_.stream(), copied_, 0));
}

}  // namespace bagel
