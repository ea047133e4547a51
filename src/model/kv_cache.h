// The memory of contexts: keys and values in pages, and who holds which page.
#ifndef BAGEL_MODEL_KV_CACHE_H_
#define BAGEL_MODEL_KV_CACHE_H_

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "tensor/ops.h"

namespace bagel {

// All layers' pages on one device. Page p exists in every layer. Memory is taken as it is needed,
// up to a limit, and kept.
class KvPool {
 public:
  // At most `most_pages`, each of layers * 2 * KvLayer::PageBytes in the device's KvType; a few are
  // there from the start. Throws kOutOfMemory.
  KvPool(Ops& ops, const LlmConfig& config, int64_t most_pages);
  ~KvPool();
  KvPool(const KvPool&) = delete;
  KvPool& operator=(const KvPool&) = delete;

  // Bytes of one token's keys and values in all layers.
  static int64_t TokenBytes(const LlmConfig& config, DType type);
  // Bytes that a pool takes from the start, at most.
  static size_t FirstBytes(const LlmConfig& config, DType type);

  // Valid until the next TakePage.
  const KvLayer& layer(int64_t index) const { return layers_[static_cast<size_t>(index)]; }
  // Those there is memory for now.
  int64_t pages() const { return static_cast<int64_t>(holders_.size()); }
  // Those that can still be taken, if the device has memory for them.
  int64_t free_pages() const { return most_pages_ - pages() + static_cast<int64_t>(free_.size()); }

  // Makes room for `count` pages that will be taken next, as far as the limit allows. Throws
  // kOutOfMemory; what there was stays.
  void Prepare(int64_t count);
  // Throws kOutOfMemory when none is free; what there was stays.
  int32_t TakePage();
  // One more holder of a page that is only read from now on.
  void SharePage(int32_t page) { ++holders_[static_cast<size_t>(page)]; }
  // The last holder's page becomes free.
  void GivePage(int32_t page);
  void CopyPage(int32_t to, int32_t from);

 private:
  // Memory for `pages` in all, more than now; what lies in the pages moves along.
  void Grow(int64_t pages);
  // The same for one layer's keys or values, of which `used` bytes count.
  void Move(void*& memory, size_t bytes, size_t used);
  void FreeLayers();

  Ops& ops_;
  int64_t most_pages_;
  std::vector<KvLayer> layers_;
  std::vector<int32_t> holders_;  // contexts that hold a page
  std::vector<int32_t> free_;     // the last one is handed out first
};

// One timeline: the tokens seen so far. The rope position runs apart from the length, since all
// tokens of a picture share one position.
class Context {
 public:
  explicit Context(KvPool& pool) : pool_(&pool) {}
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Becomes what `other`, of the same pool, is now: full pages are shared, the last one is copied
  // where it is only partly filled. Both may grow apart afterwards. Throws kOutOfMemory and is then
  // empty.
  void Fork(const Context& other);

  int64_t length() const { return length_; }
  int64_t rope() const { return rope_; }
  const std::vector<int32_t>& pages() const { return pages_; }

  // Makes room for `tokens` more. Throws kOutOfMemory; what was there stays.
  void Reserve(int64_t tokens);
  // Counts tokens that a finished step has stored.
  void Advance(int64_t tokens, int64_t rope_positions);

 private:
  void Clear();

  KvPool* pool_;
  std::vector<int32_t> pages_;
  int64_t length_ = 0;
  int64_t rope_ = 0;
};

}  // namespace bagel

#endif  // BAGEL_MODEL_KV_CACHE_H_
