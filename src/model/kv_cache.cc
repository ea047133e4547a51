#include "model/kv_cache.h"

namespace bagel {

KvPool::KvPool(Ops& ops, const LlmConfig& config, int64_t pages) : ops_(ops) {
  CHECK(pages > 0);
  const int64_t elements = pages * config.kv_heads * kKvPageTokens * config.head_dim;
  const size_t bytes = static_cast<size_t>(elements) * DTypeSize(ops.KvType());
  try {
    for (int64_t i = 0; i < config.layers; ++i) {
      layers_.push_back({nullptr, nullptr, ops.KvType(), pages, config.kv_heads, config.head_dim});
      layers_.back().k = ops.Allocate(bytes);
      layers_.back().v = ops.Allocate(bytes);
    }
  } catch (...) {
    for (const KvLayer& layer : layers_) {
      ops_.Free(layer.k);
      ops_.Free(layer.v);
    }
    throw;
  }
  for (int64_t page = pages - 1; page >= 0; --page) free_.push_back(static_cast<int32_t>(page));
}

KvPool::~KvPool() {
  for (const KvLayer& layer : layers_) {
    ops_.Free(layer.k);
    ops_.Free(layer.v);
  }
}

int32_t KvPool::TakePage() {
  if (free_.empty()) throw Error(ErrorKind::kOutOfMemory, "no free page in the key/value cache");
  const int32_t page = free_.back();
  free_.pop_back();
  return page;
}

Context::~Context() {
  for (const int32_t page : pages_) pool_->GivePage(page);
}

void Context::Reserve(int64_t tokens) {
  while (static_cast<int64_t>(pages_.size()) * kKvPageTokens < length_ + tokens)
    pages_.push_back(pool_->TakePage());
}

void Context::Advance(int64_t tokens, int64_t rope_positions) {
  CHECK(length_ + tokens <= static_cast<int64_t>(pages_.size()) * kKvPageTokens);
  length_ += tokens;
  rope_ += rope_positions;
}

}  // namespace bagel
