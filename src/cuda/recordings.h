// Sequences of ops recorded as CUDA graphs: a decode step is some hundred short kernels, and
// launching them one by one takes longer than they do.
#ifndef BAGEL_CUDA_RECORDINGS_H_
#define BAGEL_CUDA_RECORDINGS_H_

#include <cuda_runtime.h>

#include <functional>
#include <map>

#include "cuda/context.h"
#include "tensor/ops.h"

namespace bagel {

class Recordings {
 public:
  explicit Recordings(CudaContext& context) : context_(context) {}
  ~Recordings() { Clear(); }
  Recordings(const Recordings&) = delete;
  Recordings& operator=(const Recordings&) = delete;

  // The first time `body` runs as it is, which lets buffers grow; the second time it is recorded.
  // See Ops::Replay.
  void Run(const Ops::ReplayKey& key, const std::function<void()>& body);
  // Must be called when memory that a recording may refer to is given back or moves; the context's
  // scratch memory is looked after.
  void Clear();

 private:
  // Clears where the context's memory has moved.
  void ForgetMoved();
  cudaGraphExec_t Record(const std::function<void()>& body);

  CudaContext& context_;
  int moves_ = 0;  // of the context's memory, which the recordings hold
  std::map<Ops::ReplayKey, cudaGraphExec_t> recordings_;  // null before the second time
};

}  // namespace bagel

#endif  // BAGEL_CUDA_RECORDINGS_H_
