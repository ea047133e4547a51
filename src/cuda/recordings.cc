#include "cuda/recordings.h"

#include "cuda/launch.h"

namespace bagel {

void Recordings::Run(const Ops::ReplayKey& key, const std::function<void()>& body) {
  constexpr size_t kMost = 32;
  ForgetMoved();
  const auto found = recordings_.find(key);
  if (found == recordings_.end()) {
    if (recordings_.size() >= kMost) Clear();
    body();
    ForgetMoved();
    recordings_[key] = nullptr;
    return;
  }
  if (found->second == nullptr) found->second = Record(body);
  CUDA_CHECK(cudaGraphLaunch(found->second, context_.stream()));
}

void Recordings::ForgetMoved() {
  if (context_.moves() == moves_) return;
  Clear();
  moves_ = context_.moves();
}

cudaGraphExec_t Recordings::Record(const std::function<void()>& body) {
  cudaGraph_t graph = nullptr;
  CUDA_CHECK(cudaStreamBeginCapture(context_.stream(), cudaStreamCaptureModeThreadLocal));
  context_.set_recording(true);
  try {
    body();
  } catch (...) {
    context_.set_recording(false);
    if (cudaStreamEndCapture(context_.stream(), &graph) == cudaSuccess)
      static_cast<void>(cudaGraphDestroy(graph));
    throw;
  }
  context_.set_recording(false);
  CUDA_CHECK(cudaStreamEndCapture(context_.stream(), &graph));
  cudaGraphExec_t recording = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&recording, graph, 0);
  static_cast<void>(cudaGraphDestroy(graph));
  CUDA_CHECK(error);
  return recording;
}

void Recordings::Clear() {
  for (const auto& [key, recording] : recordings_)
    if (recording != nullptr) static_cast<void>(cudaGraphExecDestroy(recording));
  recordings_.clear();
}

}  // namespace bagel
