// One GPU as all of this room's parts see it: its stream, its scratch memory, what it can do.
#ifndef BAGEL_CUDA_CONTEXT_H_
#define BAGEL_CUDA_CONTEXT_H_

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "cuda/device_buffer.h"

namespace bagel {

class CudaContext {
 public:
  // Opens device `index` of those that CUDA_VISIBLE_DEVICES leaves. With `as_volta` the code of
  // compute capability 7.0 runs on it, and no library of the vendor's. Throws kUnsupported or
  // kNotFound in words for the person who asked for a GPU.
  CudaContext(int index, bool as_volta);
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  // "NVIDIA H100 80GB HBM3, sm_90".
  std::string Name() const;
  // Which code to take: 10 * major + minor of the device, or 70.
  int capability() const { return capability_; }
  // What sm_80 brought: matrix fragments in registers, asynchronous copies.
  bool HasMma() const { return capability_ >= 80; }
  // Kernels that begin before those before them end, see LaunchShape. sm_90.
  bool HasOverlap() const { return capability_ >= 90; }
  // Cards whose blocks have 64 KB of shared memory where the V100's have 96, whatever the profile.
  bool IsTuring() const { return most_shared_ <= size_t{64} << 10; }
  // Bytes of shared memory that a block can have, what the compiler and the card take included.
  size_t most_shared() const { return most_shared_; }
  int multiprocessors() const { return multiprocessors_; }
  bool own_kernels_only() const { return as_volta_; }
  cudaStream_t stream() const { return stream_; }
  // What sm_90a has and no card before or after it: products of whole warpgroups.
  bool HasHopper() const { return capability_ == 90; }

  // Memory for the op that runs now: the next call, whoever makes it, may hand out the same again.
  // Throws kOutOfMemory. While a graph is recorded it must not grow, so a step runs once before.
  void* Scratch(size_t bytes) { return Reserve(scratch_, bytes); }
  // Memory of the same kind beside it, for what the blocks of one kernel tell each other.
  void* BlockScratch(size_t bytes) { return Reserve(block_scratch_, bytes); }
  // Zeros that every kernel leaves zero again, see BlockScratch.
  int* Counters(int64_t count);
  // How often any of that memory moved: what was recorded before holds where it was.
  int moves() const { return moves_; }
  void set_recording(bool recording) { recording_ = recording; }

  // Waits for all that was queued.
  void Wait();
  // How often that was.
  int64_t waits() const { return waits_; }

 private:
  void* Reserve(DeviceBuffer& buffer, size_t bytes);

  std::string device_name_;
  int multiprocessors_ = 0;
  size_t most_shared_ = 0;
  int capability_ = 0;
  bool as_volta_;
  bool recording_ = false;
  int moves_ = 0;
  int64_t waits_ = 0;
  cudaStream_t stream_ = nullptr;
  DeviceBuffer scratch_, block_scratch_, counters_;
};

}  // namespace bagel

#endif  // BAGEL_CUDA_CONTEXT_H_
