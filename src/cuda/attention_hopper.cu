// After FlashAttention-3 (https://arxiv.org/abs/2407.08608): one warpgroup copies tiles of keys and
// values, two warpgroups of 64 rows each take turns at the tensor cores, and each softens the
// scores of one tile while the products of the tile before run.
#include <cmath>

#include "cuda/attention_hopper.h"
#include "cuda/attention_problem.cuh"
#include "cuda/hopper.cuh"
#include "cuda/launch.h"
#include "cuda/tile_map.h"

namespace bagel {
namespace {

constexpr int kGroupThreads = 128;
constexpr int kThreads = 3 * kGroupThreads;
constexpr int kGroupRows = 64, kRows = 2 * kGroupRows;
static_assert(kRows == StepTableBuilder::kTileRows);
constexpr int kKeys = 128;
static_assert(kKvPageTokens % kKeys == 0 && kKeys == kTileMapRows);
constexpr int kPanel = 64;  // columns of a panel
static_assert(kPanel == kTileMapColumns);
constexpr int kPanels = 2;
constexpr int kScores = kKeys / 2;        // of a thread: two rows, a quarter of the columns
constexpr int kSlots = 6;                 // tiles in memory, of keys and of values
[[maybe_unused]] constexpr int kLag = 2;  // tiles on their way while threads copy another

struct Shared {
  __half queries[kPanels][kRows * kPanel];
  __half tiles[kSlots][kPanels][kKeys * kPanel];
  uint64_t full[kSlots], empty[kSlots];
};

// The order in which tiles are copied and used: K(n-1), K(n-2), V(n-1), K(n-3), ..., K(0), V(1),
// V(0).
template <int kCount>
struct Turns {
  int slot = 0;
  unsigned parity = 0;
  __device__ void Advance() {
    if (++slot == kCount) {
      slot = 0;
      parity ^= 1;
    }
  }
};
using Turn = Turns<kSlots>;

// Begins to copy kTileRows rows of a head into panels, zeros behind `count` rows and `head_dim`
// columns. By a whole warpgroup.
template <int kHead, int kTileRows, typename From>
__device__ __forceinline__ void CopyRows(__half (&to)[kPanels][kTileRows * kPanel], int count,
                                         int head_dim, const From& from) {
  constexpr int kChunks = kPanels * kPanel / 8, kLines = kGroupThreads / kChunks;
  const int thread = static_cast<int>(threadIdx.x % kGroupThreads);
  const int line = thread / kChunks, chunk = thread % kChunks, column = 8 * chunk;
  if (column >= kHead) return;
  __half* place = to[column / kPanel] + line * kPanel + 8 * (chunk % 8 ^ line % 8);
  static_assert(kLines == 8);
#pragma unroll 8
  for (int turn = 0; turn < kTileRows / kLines; ++turn) {
    const int row = line + kLines * turn;
    const bool valid = row < count && column < head_dim;
    CopyAsync16(place, valid ? from(row) + column : from(0), valid);
    place += kLines * kPanel;
  }
}

// The warpgroup that copies. Whole tiles of pages come through `maps`, where there are some.
template <int kHead, typename Block>
class Copier {
 public:
  __device__ Copier(Shared& shared, const Block& block, const KvTileMaps* maps)
      : shared_(shared), block_(block), maps_(maps) {}

  __device__ __forceinline__ void Run() {
    if (maps_ != nullptr && threadIdx.x == 0) {
      AcquireMap(maps_->keys);
      AcquireMap(maps_->values);
      AcquireMap(maps_->scratch_keys);
      AcquireMap(maps_->scratch_values);
    }
    CopyRows<kHead, kRows>(shared_.queries, block_.rows, block_.head_dim(),
                           [&](int row) { return block_.Query(row); });
    CommitCopies();
    const int last = (block_.keys - 1) / kKeys;
    for (int tile = last; tile >= 0; --tile) {
      Copy(tile, false);
      if (tile < last) Copy(tile + 1, true);
    }
    Copy(0, true);
    Announce<0>();
  }

 private:
  // Starts a tile of keys or values, and announces those before it that are there.
  __device__ __forceinline__ void Copy(int tile, bool values) {
    WaitAtBarrier(&shared_.empty[turn_.slot], turn_.parity ^ 1);
    const KeyTile from = block_.Tile(tile * kKeys);
    const int count = block_.keys - tile * kKeys;
    auto& to = shared_.tiles[turn_.slot];
    if (count >= kKeys && maps_ != nullptr) {
      if (threadIdx.x == 0) FetchTile(to, from, values);
      Announce<0>();
      Arrive(turn_.slot);
      turn_.Advance();
      return;
    }
    const __half* rows = values ? from.v : from.k;
    CopyRows<kHead, kKeys>(to, count, block_.head_dim(),
                           [&](int row) { return rows + row * from.stride; });
    CommitCopies();
    Announce<kLag>();
    copies_ = true;
    ++under_way_;
    turn_.Advance();
  }
  // Announces those that threads copied, but for the last kLeft with the one that is begun.
  template <int kLeft>
  __device__ __forceinline__ void Announce() {
    if (kLeft == 0 ? !copies_ : under_way_ < kLeft) return;
    WaitForCopies<kLeft>();
    PublishToProducts();
    __syncwarp();
    for (; under_way_ > (kLeft > 0 ? kLeft - 1 : 0); --under_way_)
      Arrive((turn_.slot + kSlots - under_way_) % kSlots);
    copies_ = kLeft > 0;
  }
  __device__ __forceinline__ void Arrive(int slot) {
    if (threadIdx.x % 32 == 0) ArriveAtBarrier(&shared_.full[slot]);
  }
  // By one thread.
  __device__ __forceinline__ void FetchTile(__half (&to)[kPanels][kKeys * kPanel],
                                            const KeyTile& from, bool values) {
    const TileMap* map = from.scratch ? (values ? &maps_->scratch_values : &maps_->scratch_keys)
                                      : (values ? &maps_->values : &maps_->keys);
    uint64_t* full = &shared_.full[turn_.slot];
    ExpectBytes(full, sizeof(to));
#pragma unroll
    for (int panel = 0; panel < kPanels; ++panel)
      FetchPanel(to[panel], map, panel * kPanel, from.row, full);
  }

  Shared& shared_;
  const Block& block_;
  const KvTileMaps* maps_;
  Turn turn_;
  int under_way_ = 0;   // tiles that threads copy and that are not announced
  bool copies_ = true;  // whether threads copied since all was announced, the queries at first
};

// scores = a group's queries times a tile's keys.
template <int kHead>
__device__ __forceinline__ void Score(float (&scores)[kScores], uint64_t queries,
                                      const __half* keys) {
  const uint64_t tile = PanelDescriptor(keys, 16);
#pragma unroll
  for (int dim = 0; dim < kHead; dim += 16) {
    constexpr uint64_t kQueryPanel = kRows * 128 / 16, kKeyPanel = kKeys * 128 / 16;
    const auto panel = static_cast<uint64_t>(dim / kPanel);
    const auto step = static_cast<uint64_t>(dim % kPanel / 8);
    MultiplyPanels(scores, queries + panel * kQueryPanel + step, tile + panel * kKeyPanel + step,
                   dim > 0);
  }
}

// sums += weights times a tile's values.
template <int kHead>
__device__ __forceinline__ void Gather(float (&sums)[kHead / 2],
                                       const unsigned (&weights)[kKeys / 4], const __half* values) {
  const uint64_t tile = PanelDescriptor(values, kKeys * 128);
#pragma unroll
  for (int key = 0; key < kKeys; key += 16)
    MultiplyAddPanels(sums, &weights[key / 4], tile + static_cast<uint64_t>(key) * 128 / 16);
}

// Of the two rows of a thread, lane / 4 and 8 below of a warp's 16.
struct RowStates {
  float largest[2], total[2];  // total: this thread's part
};

struct LimitPair {
  int of[2];
};

// Turns scores into weights; `shrink` is what the sums so far are to be multiplied by. Keys from
// limits on do not count.
template <bool kMasked>
__device__ __forceinline__ void Soften(float (&scores)[kScores], RowStates& rows,
                                       float (&shrink)[2], const LimitPair& limits, float scale) {
  const int column = static_cast<int>(threadIdx.x % 4) * 2;
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    float largest = rows.largest[h];
#pragma unroll
    for (int n = 0; n < kKeys / 8; ++n)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& score = scores[4 * n + 2 * h + i];
        if (kMasked && 8 * n + column + i >= limits.of[h]) score = -INFINITY;
        largest = fmaxf(largest, score);
      }
    largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 2));
    const float base = kMasked && largest == -INFINITY ? 0.0f : largest * scale;
    shrink[h] = FastExp2(rows.largest[h] * scale - base);
    rows.largest[h] = largest;
    float total = 0;
#pragma unroll
    for (int n = 0; n < kKeys / 8; ++n)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& score = scores[4 * n + 2 * h + i];
        score = FastExp2(score * scale - base);
        total += score;
      }
    rows.total[h] = rows.total[h] * shrink[h] + total;
  }
}

// Scores lie as the weights of the next product must.
[[maybe_unused]] __device__ __forceinline__ void Pack(unsigned (&weights)[kKeys / 4],
                                                      const float (&scores)[kScores]) {
#pragma unroll
  for (int i = 0; i < kKeys / 4; ++i) {
    weights[i] = PackPair(scores[2 * i], scores[2 * i + 1]);
  }
}

// A warpgroup that multiplies: rows [64 group, 64 group + 64) of a tile.
template <int kHead, typename Block>
class Worker {
 public:
  __device__ Worker(Shared& shared, const Block& block, int group, bool alone, float scale)
      : shared_(shared),
        block_(block),
        scale_(scale),
        group_(group),
        alone_(alone),
        row_(kGroupRows * group +
             static_cast<int>(threadIdx.x % kGroupThreads / 32 * 16 + threadIdx.x % 32 / 4)) {}

  __device__ __forceinline__ void Run() {
    const uint64_t queries = PanelDescriptor(shared_.queries[0] + kGroupRows * group_ * kPanel, 16);
    RowStates rows{{-INFINITY, -INFINITY}, {0, 0}};
    float sums[kHead / 2], shrink[2];
#pragma unroll
    for (int i = 0; i < kHead / 2; ++i) sums[i] = 0;
    unsigned weights[kKeys / 4];
    int tile = (block_.keys - 1) / kKeys;
    {
      float scores[kScores];
      Await(next_);
      BeginProducts();
      Score<kHead>(scores, queries, shared_.tiles[next_.slot][0]);
      CommitProducts();
      WaitForProducts<0>(scores);
      Release(next_);
      next_.Advance();
      Soften<true>(scores, rows, shrink, Limits(tile), scale_);
      Pack(weights, scores);
    }
    // The tiles that all of these rows see whole come last.
    const int whole = block_.Limit(kGroupRows * group_) / kKeys;
    if (!alone_ && group_ == 1) ArriveNamed(kTurns, 2 * kGroupThreads);
    for (--tile; tile >= 0 && tile >= whole; --tile) Step<true>(sums, weights, rows, queries, tile);
    for (; tile >= 0; --tile) Step<false>(sums, weights, rows, queries, tile);
    Await(next_);
    BeginProducts(sums, weights);
    Gather<kHead>(sums, weights, shared_.tiles[next_.slot][0]);
    CommitProducts();
    WaitForProducts<0>(sums);
    Store(sums, rows);
  }

 private:
  static constexpr int kTurns = 1;  // and 2: the named barriers of whose turn it is

  __device__ __forceinline__ void Await(const Turn& turn) {
    WaitAtBarrier(&shared_.full[turn.slot], turn.parity);
  }
  __device__ __forceinline__ void Release(const Turn& turn) {
    if (threadIdx.x % 32 == 0) ArriveAtBarrier(&shared_.empty[turn.slot]);
  }
  __device__ __forceinline__ LimitPair Limits(int tile) const {
    return {{block_.Limit(row_) - tile * kKeys, block_.Limit(row_ + 8) - tile * kKeys}};
  }

  // Scores of `tile`, and meanwhile the sums of the tile before.
  template <bool kMasked>
  __device__ __forceinline__ void Step(float (&sums)[kHead / 2], unsigned (&weights)[kKeys / 4],
                                       RowStates& rows, uint64_t queries, int tile) {
    float scores[kScores], shrink[2];
    const Turn keys = next_;
    next_.Advance();
    const Turn values = next_;
    next_.Advance();
    Await(keys);
    if (!alone_) SyncNamed(kTurns + group_, 2 * kGroupThreads);
    BeginProducts();
    Score<kHead>(scores, queries, shared_.tiles[keys.slot][0]);
    CommitProducts();
    Await(values);
    BeginProducts(sums, weights);
    Gather<kHead>(sums, weights, shared_.tiles[values.slot][0]);
    CommitProducts();
    if (!alone_) ArriveNamed(kTurns + 1 - group_, 2 * kGroupThreads);
    WaitForProducts<1>(scores);
    Release(keys);
    Soften<kMasked>(scores, rows, shrink, Limits(tile), scale_);
    WaitForProducts<0>(sums);
    Release(values);
    Pack(weights, scores);
#pragma unroll
    for (int i = 0; i < kHead / 2; ++i) sums[i] *= shrink[i % 4 / 2];
  }

  __device__ __forceinline__ void Store(const float (&sums)[kHead / 2], const RowStates& rows) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float total = rows.total[h];
      total += __shfl_xor_sync(0xFFFFFFFFu, total, 1);
      total += __shfl_xor_sync(0xFFFFFFFFu, total, 2);
      const int row = row_ + 8 * h;
      if (row >= block_.rows) continue;
      const float scale = 1.0f / total;
      auto* to = block_.Result(row) + threadIdx.x % 4 * 2;
#pragma unroll
      for (int n = 0; n < kHead / 8; ++n)
        if (8 * n < block_.head_dim())
          StorePair(to + 8 * n, sums[4 * n + 2 * h] * scale, sums[4 * n + 2 * h + 1] * scale);
    }
  }

  Shared& shared_;
  const Block& block_;
  Turn next_;
  float scale_;
  int group_;
  bool alone_;
  int row_;
};

template <int kHead, typename Problem>
__device__ __forceinline__ void AttendTile(const Problem& problem, const KvTileMaps* maps,
                                           float scale) {
  auto& shared = *reinterpret_cast<Shared*>(SharedMemory());
  const typename Problem::Block block(problem);
  const bool alone = block.rows <= kGroupRows;  // the second group has no rows
  if (threadIdx.x == 0) {
    constexpr unsigned kWarps = kGroupThreads / 32;
    for (int i = 0; i < kSlots; ++i) {
      InitBarrier(&shared.full[i], kWarps);
      InitBarrier(&shared.empty[i], alone ? kWarps : 2 * kWarps);
    }
  }
  __syncthreads();
  const int group = static_cast<int>(threadIdx.x) / kGroupThreads - 1;
  if (group < 0) {
    GiveRegisters<40>();
    Copier<kHead, typename Problem::Block>(shared, block, maps).Run();
  } else {
    TakeRegisters<232>();
    if (group == 0 || !alone)
      Worker<kHead, typename Problem::Block>(shared, block, group, alone, scale).Run();
  }
}

template <int kHead, typename Problem>
__global__ void __launch_bounds__(kThreads, 1)
    AttendHopperKernel([[maybe_unused]] Problem problem, [[maybe_unused]] const KvTileMaps* maps,
                       [[maybe_unused]] float scale) {
  if constexpr (kHasHopper) AttendTile<kHead>(problem, maps, scale);
}

template <int kHead, typename Problem>
void LaunchKernel(cudaStream_t stream, dim3 grid, const Problem& problem, const KvTileMaps* maps,
                  int64_t head_dim) {
  const float scale = 1.4426950408889634f / std::sqrt(static_cast<float>(head_dim));  // log2(e)
  Launch(stream, {grid, dim3(kThreads), sizeof(Shared)}, AttendHopperKernel<kHead, Problem>,
         problem, maps, scale);
}

}  // namespace

void AttendHopper(cudaStream_t stream, const Tensor& y, const Tensor& q, const KvLayer& cache,
                  const StepTables& tables, const KvTileMaps* maps) {
  constexpr int kHead = 128;
  const int64_t heads = q.cols / kHead;
  const dim3 grid(static_cast<unsigned>(tables.tile_count), static_cast<unsigned>(heads));
  WithType(y.dtype, [&](auto type) {
    using Y = decltype(type);
    LaunchKernel<kHead>(stream, grid, MakePagedProblem<Y>(y, q, cache, tables), maps, kHead);
  });
}

void AttendFullHopper(cudaStream_t stream, const Tensor& y, const Tensor& q, const Tensor& k,
                      const Tensor& v, int64_t heads) {
  const int64_t head_dim = q.cols / heads;
  const dim3 grid(static_cast<unsigned>((q.rows + kRows - 1) / kRows),
                  static_cast<unsigned>(heads));
  WithType(y.dtype, [&](auto type) {
    using Y = decltype(type);
    const DenseProblem<Y> problem = MakeDenseProblem<Y>(y, q, k, v, heads);
    if (head_dim <= 80)
      LaunchKernel<80>(stream, grid, problem, nullptr, head_dim);
    else
      LaunchKernel<128>(stream, grid, problem, nullptr, head_dim);
  });
}

}  // namespace bagel
