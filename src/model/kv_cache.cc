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
  holders_.resize(static_cast<size_t>(pages));
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
  holders_[static_cast<size_t>(page)] = 1;
  return page;
}

void KvPool::GivePage(int32_t page) {
  if (--holders_[static_cast<size_t>(page)] == 0) free_.push_back(page);
}

void KvPool::CopyPage(int32_t to, int32_t from) {
  for (const KvLayer& layer : layers_) {
    const size_t bytes = static_cast<size_t>(layer.PageElements()) * DTypeSize(layer.dtype);
    ops_.CopyOnDevice(static_cast<char*>(layer.k) + static_cast<size_t>(to) * bytes,
                      static_cast<char*>(layer.k) + static_cast<size_t>(from) * bytes, bytes);
    ops_.CopyOnDevice(static_cast<char*>(layer.v) + static_cast<size_t>(to) * bytes,
                      static_cast<char*>(layer.v) + static_cast<size_t>(from) * bytes, bytes);
  }
}

Context::~Context() { Clear(); }

void Context::Clear() {
  for (const int32_t page : pages_) pool_->GivePage(page);
  pages_.clear();
  length_ = rope_ = 0;
}

void Context::Fork(const Context& other) {
  CHECK(pool_ == other.pool_ && this != &other);
  Clear();
  const bool partial = other.length_ % kKvPageTokens != 0;
  const int32_t last = partial ? pool_->TakePage() : 0;
  const int64_t full = other.length_ / kKvPageTokens;
  for (int64_t i = 0; i < full; ++i) {
    pages_.push_back(other.pages_[static_cast<size_t>(i)]);
    pool_->SharePage(pages_.back());
  }
  if (partial) {
    pages_.push_back(last);
    pool_->CopyPage(pages_.back(), other.pages_[static_cast<size_t>(full)]);
  }
  length_ = other.length_;
  rope_ = other.rope_;
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
