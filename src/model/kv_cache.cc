#include "model/kv_cache.h"

#include <algorithm>

namespace bagel {
namespace {

// Pages are added sixteen at a time: 2048 tokens, 117 MB of f16 at the published shape. The first
// ones are fewer by one, since a GPU gives a layer's memory in units of 2 MB, sixteen such pages,
// of which a little goes to what lies behind the pages.
constexpr int64_t kMorePages = 16;
constexpr int64_t kFirstPages = kMorePages - 1;

}  // namespace

KvPool::KvPool(Ops& ops, const LlmConfig& config, int64_t most_pages)
    : ops_(ops), most_pages_(most_pages) {
  CHECK(most_pages > 0);
  layers_.assign(static_cast<size_t>(config.layers),
                 {nullptr, nullptr, ops.KvType(), 0, config.kv_heads, config.head_dim});
  try {
    Grow(std::min(kFirstPages, most_pages));
  } catch (...) {
    FreeLayers();
    throw;
  }
}

KvPool::~KvPool() { FreeLayers(); }

void KvPool::FreeLayers() {
  for (const KvLayer& layer : layers_) {
    ops_.Free(layer.k);
    ops_.Free(layer.v);
  }
}

int64_t KvPool::TokenBytes(const LlmConfig& config, DType type) {
  const KvLayer layer{nullptr, nullptr, type, 0, config.kv_heads, config.head_dim};
  return 2 * config.layers * layer.PageBytes() / kKvPageTokens;
}

size_t KvPool::FirstBytes(const LlmConfig& config, DType type) {
  return static_cast<size_t>(kFirstPages * kKvPageTokens * TokenBytes(config, type));
}

void KvPool::Move(void*& memory, size_t bytes, size_t used) {
  void* larger = ops_.Allocate(bytes);
  if (used > 0) ops_.CopyOnDevice(larger, memory, used);
  ops_.Free(memory);
  memory = larger;
}

// Layer by layer, so that little more than the new memory is needed at a time. Where it ends early,
// some layers have room that nobody uses yet.
void KvPool::Grow(int64_t pages) {
  for (KvLayer& layer : layers_) {
    const auto page = static_cast<size_t>(layer.PageBytes());
    const size_t bytes = static_cast<size_t>(pages) * page;
    const size_t used = holders_.size() * page;
    Move(layer.k, bytes, used);
    Move(layer.v, bytes, used);
  }
  for (KvLayer& layer : layers_) layer.pages = pages;
  std::vector<int32_t> added;
  for (int64_t page = pages - 1; page >= this->pages(); --page)
    added.push_back(static_cast<int32_t>(page));
  holders_.resize(static_cast<size_t>(pages));
  free_.insert(free_.begin(), added.begin(), added.end());
}

void KvPool::Prepare(int64_t count) {
  const int64_t missing = count - static_cast<int64_t>(free_.size());
  if (missing <= 0 || pages() == most_pages_) return;
  const int64_t added = (missing + kMorePages - 1) / kMorePages * kMorePages;
  Grow(std::min(most_pages_, pages() + added));
}

int32_t KvPool::TakePage() {
  Prepare(1);
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
    const auto bytes = static_cast<size_t>(layer.PageBytes());
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
  const int64_t pages = (length_ + tokens + kKvPageTokens - 1) / kKvPageTokens;
  pool_->Prepare(pages - static_cast<int64_t>(pages_.size()));
  while (static_cast<int64_t>(pages_.size()) < pages) pages_.push_back(pool_->TakePage());
}

void Context::Advance(int64_t tokens, int64_t rope_positions) {
  CHECK(length_ + tokens <= static_cast<int64_t>(pages_.size()) * kKvPageTokens);
  length_ += tokens;
  rope_ += rope_positions;
}

}  // namespace bagel
