#include "model/layer_stream.h"

#include <algorithm>

#include "base/error.h"

namespace bagel {
namespace {

std::array<Weight*, 7> Matrices(ExpertLayer& expert) {
  return {&expert.q, &expert.k, &expert.v, &expert.o, &expert.gate, &expert.up, &expert.down};
}

}  // namespace

LayerStream::LayerStream(Ops& ops, const BagelWeights& weights) : ops_(ops), weights_(weights) {
  if (!weights.gen_on_host) return;
  for (const DecoderLayer& layer : weights.layers) {
    ExpertLayer gen = layer.gen;
    size_t bytes = 0;
    for (const Weight* matrix : Matrices(gen)) bytes += MovedBytes(*matrix);
    layer_bytes_ = std::max(layer_bytes_, bytes);
  }
}

LayerStream::~LayerStream() { Release(); }

void LayerStream::Reserve() {
  if (!weights_.gen_on_host || memory_ != nullptr) return;
  memory_ = static_cast<char*>(ops_.Allocate(kLayersOnDevice * layer_bytes_));
}

void LayerStream::Release() {
  if (memory_ == nullptr) return;
  ops_.Free(memory_);
  memory_ = nullptr;
}

const DecoderLayer& LayerStream::Fetch(Ops& ops, size_t index) {
  if (!weights_.gen_on_host) return weights_.layers[index];
  CHECK(memory_ != nullptr);
  if (index == 0) Begin(ops, 0);
  ops.AwaitAside();
  // Where the layer before this one was, whose ops have all been called.
  if (index + 1 < weights_.layers.size()) Begin(ops, index + 1);
  return fetched_[index % kLayersOnDevice];
}

void LayerStream::Begin(Ops& ops, size_t index) {
  const size_t slot = index % kLayersOnDevice;
  char* place = memory_ + slot * layer_bytes_;
  DecoderLayer& layer = fetched_[slot] = weights_.layers[index];
  for (Weight* matrix : Matrices(layer.gen)) {
    *matrix = Moved(*matrix, place, [&](void* to, const void* from, size_t bytes) {
      ops.CopyAside(to, from, bytes);
    });
    place += MovedBytes(*matrix);
  }
}

}  // namespace bagel
