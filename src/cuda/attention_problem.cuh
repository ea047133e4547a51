// What an attention kernel works on: tiles of queries of one head against the keys that they see,
// which lie in pages of the cache or in one tensor.
#ifndef BAGEL_CUDA_ATTENTION_PROBLEM_CUH_
#define BAGEL_CUDA_ATTENTION_PROBLEM_CUH_

#include "cuda/kv_pages.cuh"
#include "cuda/spans.cuh"
#include "cuda/values.cuh"

namespace bagel {

// Rows of keys and values, `stride` elements apart.
struct KeyTile {
  const __half* k;
  const __half* v;
  int64_t stride;
  bool scratch;  // of the cache's scratch pages
  int row;       // the first, among all rows of the cache's pages or of its scratch pages
};

// Both problems have a Block with: rows of the tile, keys that its last row sees, Limit(row), the
// keys that a row sees, Query(row) and Result(row), its head's part of a row, and Tile(first),
// where keys from `first` on lie, those up to the next multiple of kKvPageTokens together.

// A step over the cache, heads of kHead. Grid: tiles, heads.
template <typename Y>
struct PagedProblem {
  static constexpr int kHead = 128;
  View<Y> y;
  View<const __half> q;
  KvPages cache;
  SpanTables tables;
  int group;  // query heads of a kv head

  class Block {
   public:
    // The last tiles, which see most, come first.
    __device__ explicit Block(const PagedProblem& problem)
        : problem_(problem), head_(static_cast<int>(blockIdx.y)) {
      const QueryTile tile = problem.tables.tiles[gridDim.x - 1 - blockIdx.x];
      span_ = problem.tables.spans[tile.span];
      first_ = tile.first;
      const int left = span_.rows - first_;
      constexpr int kRows = static_cast<int>(StepTableBuilder::kTileRows);
      rows = left < kRows ? left : kRows;
      keys = Limit(rows - 1);
    }
    __device__ int Limit(int row) const { return KeysOf(span_, first_ + row); }
    __device__ const __half* Query(int row) const {
      return problem_.q.At(RowOf(span_, first_ + row), head_ * kHead);
    }
    __device__ Y* Result(int row) const {
      return problem_.y.At(RowOf(span_, first_ + row), head_ * kHead);
    }
    __device__ KeyTile Tile(int first) const {
      const int page = PageOf(problem_.tables, span_, first);
      const KvPages& all = problem_.cache;
      const bool scratch = page >= all.pages;
      constexpr int kTokens = static_cast<int>(kKvPageTokens);
      const int in_page = head_ / problem_.group * kTokens + first % kTokens;
      const int row = (scratch ? page - all.pages : page) * all.kv_heads * kTokens + in_page;
      return {all.KeyPage(page) + in_page * kHead, all.ValuePage(page) + in_page * kHead, kHead,
              scratch, row};
    }
    __device__ int head_dim() const { return kHead; }

    int rows, keys;

   private:
    const PagedProblem& problem_;
    DeviceSpan span_;
    int head_, first_;
  };
};

// All rows over all rows. Grid: tiles, heads.
template <typename Y>
struct DenseProblem {
  View<Y> y;
  View<const __half> q, k, v;
  int total;  // rows
  int head_size;

  class Block {
   public:
    __device__ explicit Block(const DenseProblem& problem)
        : problem_(problem),
          column_(static_cast<int>(blockIdx.y) * problem.head_size),
          first_(static_cast<int>(blockIdx.x) * kRows) {
      const int left = problem.total - first_;
      rows = left < kRows ? left : kRows;
      keys = problem.total;
    }
    __device__ int Limit(int) const { return keys; }
    __device__ const __half* Query(int row) const { return problem_.q.At(first_ + row, column_); }
    __device__ Y* Result(int row) const { return problem_.y.At(first_ + row, column_); }
    __device__ KeyTile Tile(int first) const {
      return {problem_.k.At(first, column_), problem_.v.At(first, column_), problem_.k.stride,
              false, first};
    }
    __device__ int head_dim() const { return problem_.head_size; }

    int rows, keys;

   private:
    static constexpr int kRows = static_cast<int>(StepTableBuilder::kTileRows);
    const DenseProblem& problem_;
    int column_, first_;
  };
};

template <typename Y>
PagedProblem<Y> MakePagedProblem(const Tensor& y, const Tensor& q, const KvLayer& cache,
                                 const StepTables& tables) {
  CHECK(cache.head_dim == PagedProblem<Y>::kHead);
  return {ViewOf<Y>(y), ViewOf<const __half>(q), PagesOf<__half>(cache), SpanTablesOf(tables),
          static_cast<int>(q.cols / cache.head_dim / cache.kv_heads)};
}

template <typename Y>
DenseProblem<Y> MakeDenseProblem(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                                 int64_t heads) {
  CHECK(k.stride == v.stride);
  return {ViewOf<Y>(y),
          ViewOf<const __half>(q),
          ViewOf<const __half>(k),
          ViewOf<const __half>(v),
          static_cast<int>(q.rows),
          static_cast<int>(q.cols / heads)};
}

}  // namespace bagel

#endif  // BAGEL_CUDA_ATTENTION_PROBLEM_CUH_
