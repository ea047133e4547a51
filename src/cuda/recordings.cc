#include "cuda/recordings.h"

#include "cuda/launch.h"

namespace bagel {

Tensor Recordings::Run(const Ops::ReplayKey& key, const std::function<Tensor()>& body) {
  constexpr size_t kMost = 32;
  if (context_.scratch() != scratch_) Clear();
  const auto found = recordings_.find(key);
  if (found == recordings_.end()) {
    if (recordings_.size() >= kMost) Clear();
    const Tensor result = body();
    recordings_[key] = {nullptr, result};
    scratch_ = context_.scratch();
    return result;
  }
  Recording& recording = found->second;
  if (recording.graph == nullptr) Record(recording, body);
  CUDA_CHECK(cudaGraphLaunch(recording.graph, context_.stream()));
  return recording.result;
}

void Recordings::Record(Recording& recording, const std::function<Tensor()>& body) {
  cudaGraph_t graph = nullptr;
  CUDA_CHECK(cudaStreamBeginCapture(context_.stream(), cudaStreamCaptureModeThreadLocal));
  context_.set_recording(true);
  try {
    recording.result = body();
  } catch (...) {
    context_.set_recording(false);
    if (cudaStreamEndCapture(context_.stream(), &graph) == cudaSuccess)
      static_cast<void>(cudaGraphDestroy(graph));
    throw;
  }
  context_.set_recording(false);
  CUDA_CHECK(cudaStreamEndCapture(context_.stream(), &graph));
  const cudaError_t error = cudaGraphInstantiate(&recording.graph, graph, 0);
  static_cast<void>(cudaGraphDestroy(graph));
  CUDA_CHECK(error);
}

void Recordings::Clear() {
  for (const auto& [key, recording] : recordings_)
    if (recording.graph != nullptr) static_cast<void>(cudaGraphExecDestroy(recording.graph));
  recordings_.clear();
}

}  // namespace bagel
