#include <algorithm>
#include <limits>
#include <type_traits>

#include "cuda/gemv.h"
#include "cuda/gemv_kernel.cuh"
#include "cuda/launch.h"

namespace bagel {
namespace gemv {
namespace {

// Sets the height of tiles, how many a block makes at once, and how many warps share one. Any of
// three may be what takes the time: the steps of a warp one after the other, those of all warps
// through the multiprocessor, and what it reads. The least sum of them is taken. `blocks` are those
// of one slice.
template <typename Format>
void Divide(Problem<Format>& problem, int warps, int blocks) {
  const int all_steps = problem.in / Format::kStepColumns;
  const int steps = (all_steps + problem.slices - 1) / problem.slices;
  float least = 0;
  for (int tile = kTile; tile >= kTile / 2; --tile) {
    int ends[kMostMatrices], tiles = 0;
    for (int i = 0; i < kMostMatrices; ++i) {
      if (i < problem.count) tiles += (problem.matrices[i].out + tile - 1) / tile;
      ends[i] = tiles;
    }
    const int pair = problem.gated ? 2 : 1;
    if (problem.gated) tiles = 2 * ((problem.matrices[0].out + tile - 1) / tile);
    for (int parts = pair; parts <= warps; parts += pair) {
      const int split = warps / parts, units = (tiles + parts - 1) / parts;
      const int turns = (units + blocks - 1) / blocks;
      const int all = turns * parts * steps;
      const auto in_turn = static_cast<float>(turns * ((steps + split - 1) / split + 1));
      const auto multiplied = static_cast<float>(all) / static_cast<float>(warps);
      const float read = multiplied * static_cast<float>(tile) / kTile;
      const float cost = in_turn + multiplied + read;
      if (least > 0 && cost >= least) continue;
      least = cost;
      problem.tile = tile;
      problem.parts = parts;
      problem.split = split;
      problem.units = units;
      std::copy(ends, ends + kMostMatrices, problem.tile_ends);
    }
  }
}

// The same for `rows` rows from `first` on.
template <typename Format>
Problem<Format> RowsOf(Problem<Format> problem, int first, int rows) {
  const int64_t y_size = problem.half ? sizeof(__half) : sizeof(float);
  problem.rows = rows;
  problem.x.data += first * problem.x.stride;
  problem.hidden.data += first * problem.hidden.stride;
  for (Matrix<Format>& matrix : problem.matrices)
    matrix.y = static_cast<char*>(matrix.y) + first * matrix.stride * y_size;
  return problem;
}

// What a block can have besides its table and a few words, behind which the rest is aligned.
template <typename Format>
size_t MostShared(const CudaContext& context) {
  constexpr size_t kAlignment = 1024, kWords = 128;
  constexpr size_t kStatic = Format::kTableWords * sizeof(unsigned) + kWords;
  return context.most_shared() - (kStatic + kAlignment - 1) / kAlignment * kAlignment;
}

template <typename Format>
int64_t ColumnsOfSlice(int64_t in, int slices) {
  const int64_t steps = in / Format::kStepColumns;
  return (steps + slices - 1) / slices * Format::kStepColumns;
}

template <typename Format, typename Sums, int kWarps>
size_t SharedOf(int64_t rows, int64_t in, int slices) {
  return FixedShared<Sums, kWarps>(static_cast<int>(rows)) +
         static_cast<size_t>(rows) * BytesOfRow<Format>(ColumnsOfSlice<Format>(in, slices));
}

// The fewest slices of which one's rows of x fit into a block's memory; 0 where none does.
template <typename Format, typename Sums, int kWarps>
int SlicesOf(const CudaContext& context, const Problem<Format>& problem) {
  const int steps = problem.in / Format::kStepColumns;
  for (int slices = 1; slices <= steps; ++slices)
    if (SharedOf<Format, Sums, kWarps>(problem.rows, problem.in, slices) <=
        MostShared<Format>(context))
      return slices;
  return 0;
}

template <typename Format, typename Sums, int kWarps, bool kSliced>
void LaunchGemv(CudaContext& context, Problem<Format> problem, int slices) {
  problem.slices = slices;
  problem.stride = static_cast<int>(BytesOfRow<Format>(ColumnsOfSlice<Format>(problem.in, slices)) /
                                    sizeof(__half));
  const auto kernel = GemvKernel<Format, Sums, kWarps, kSliced>;
  const size_t shared = SharedOf<Format, Sums, kWarps>(problem.rows, problem.in, slices);
  const int most = BlocksOfMultiprocessor(kernel, kWarps * 32, shared) * context.multiprocessors();
  const int blocks = std::max(1, most / slices);
  Divide(problem, kWarps, blocks);
  if (kSliced) {
    const int64_t sums = int64_t{problem.units} * slices * problem.parts * problem.rows * kTile;
    problem.slice_sums =
        static_cast<float*>(context.BlockScratch(static_cast<size_t>(sums) * sizeof(float)));
    problem.counters = context.Counters(problem.units);
  }
  Launch(context.stream(),
         {.grid = dim3(static_cast<unsigned>(std::min(problem.units, blocks) * slices)),
          .block = dim3(kWarps * 32),
          .shared = shared,
          .overlaps = context.HasOverlap()},
         kernel, problem);
}

template <typename Format, typename Sums, int kWarps>
void LaunchSlices(CudaContext& context, const Problem<Format>& problem, int slices) {
  CHECK(slices > 0);
  if (slices == 1)
    LaunchGemv<Format, Sums, kWarps, false>(context, problem, slices);
  else
    LaunchGemv<Format, Sums, kWarps, true>(context, problem, slices);
}

inline constexpr int kManyWarps = 18, kSomeWarps = 16, kFewWarps = 8;

template <typename Format>
void LaunchTensorCores(CudaContext& context, const Problem<Format>& problem) {
  using Sums = TensorCoreSums<Format>;
  if (SlicesOf<Format, Sums, kManyWarps>(context, problem) == 1)
    return LaunchSlices<Format, Sums, kManyWarps>(context, problem, 1);
  if (const int slices = SlicesOf<Format, Sums, kSomeWarps>(context, problem); slices > 0)
    return LaunchSlices<Format, Sums, kSomeWarps>(context, problem, slices);
  LaunchSlices<Format, Sums, kFewWarps>(context, problem,
                                        SlicesOf<Format, Sums, kFewWarps>(context, problem));
}

// One row is not worth them: multiply-adds alone keep up with the memory.
bool TakesTensorCores(const CudaContext& context, int64_t rows) {
  return context.HasMma() && rows > 1;
}

// So many warps as have registers for the sums.
template <int kRows>
inline constexpr int kWarpsOf = kRows == 1   ? kManyWarps
                                : kRows == 2 ? kSomeWarps
                                             : 12;

// Runs the first kRows rows of `problem`, if it has as many and they need at most `most_slices`;
// returns whether it did.
template <typename Format, int kRows>
bool RunMultiplyAdds(CudaContext& context, Problem<Format>& problem, int most_slices) {
  using Sums = MultiplyAddSums<Format, kRows>;
  if (problem.rows < kRows) return false;
  const Problem<Format> part = RowsOf(problem, 0, kRows);
  const int slices = SlicesOf<Format, Sums, kWarpsOf<kRows>>(context, part);
  if (slices > most_slices) return false;
  LaunchSlices<Format, Sums, kWarpsOf<kRows>>(context, part, slices);
  problem = RowsOf(problem, kRows, problem.rows - kRows);
  return true;
}

// Runs a problem of at most kColumns rows, as many at a time as its kernels take.
template <typename Format>
void RunRows(CudaContext& context, Problem<Format> problem) {
  if (TakesTensorCores(context, problem.rows)) return LaunchTensorCores(context, problem);
  constexpr int kFewSlices = 16, kAny = std::numeric_limits<int>::max();
  while (problem.rows > 0) {
    if (RunMultiplyAdds<Format, 8>(context, problem, kFewSlices)) continue;
    if (RunMultiplyAdds<Format, 4>(context, problem, kAny)) continue;
    if (RunMultiplyAdds<Format, 2>(context, problem, kAny)) continue;
    RunMultiplyAdds<Format, 1>(context, problem, kAny);
  }
}

// The first of them again where there are fewer.
template <typename Format>
void FillMatrices(Problem<Format>& problem, std::span<const Product> products) {
  for (size_t i = 0; i < kMostMatrices; ++i) {
    const Product& product = products[i < products.size() ? i : 0];
    WithWeightChunks(*product.weight, [&](auto chunks) {
      if constexpr (std::is_same_v<decltype(chunks), Format>)
        problem.matrices[i] = {chunks, product.weight->bias, product.y.data, product.y.stride,
                               static_cast<int>(product.weight->out)};
    });
  }
  problem.count = static_cast<int>(products.size());
}

// x of a group of products, as f16 rows or as rows to be normed.
struct Input {
  View<const __half> x = {};
  View<const float> hidden = {};
  const float* norm = nullptr;
  float eps = 0;
  int64_t rows, in;
};

template <typename Format>
Problem<Format> MakeProblem(const Input& input, DType type) {
  Problem<Format> problem{};
  problem.x = input.x;
  problem.hidden = input.hidden;
  problem.norm = input.norm;
  problem.eps = input.eps;
  problem.rows = static_cast<int>(input.rows);
  problem.in = static_cast<int>(input.in);
  problem.half = type == DType::kF16;
  problem.scale = 1;
  return problem;
}

}  // namespace
}  // namespace gemv

bool GemvTakes(const Tensor& x, const Weight& weight) {
  return x.dtype == DType::kF16 && InEights(x) && InChunks(weight);
}

bool NormGemvTakes(const Tensor& x, std::span<const Weight* const> weights) {
  if (x.rows > kGemvRows || x.dtype != DType::kF32 || !InEights(x) ||
      x.cols > gemv::kMostNormColumns || x.cols < 256 || weights.size() > gemv::kMostMatrices)
    return false;
  return std::all_of(weights.begin(), weights.end(), [&](const Weight* weight) {
    return InChunks(*weight) && weight->format == weights[0]->format;
  });
}

void Gemv(CudaContext& context, const Tensor& y, const Tensor& x, const Weight& weight, bool add,
          float scale) {
  WithWeightChunks(weight, [&](auto chunks) {
    for (int64_t first = 0; first < x.rows; first += kGemvRows) {
      const int64_t rows = std::min(kGemvRows, x.rows - first);
      const Product product{y.Rows(first, rows), &weight};
      auto problem = gemv::MakeProblem<decltype(chunks)>(
          {.x = ViewOf<const __half>(x.Rows(first, rows)), .rows = rows, .in = x.cols}, y.dtype);
      gemv::FillMatrices(problem, std::span(&product, 1));
      problem.add = add;
      problem.scale = scale;
      gemv::RunRows(context, problem);
    }
  });
}

void NormGemv(CudaContext& context, std::span<const Product> products, const Tensor& x,
              const float* norm, float eps) {
  WithWeightChunks(*products[0].weight, [&](auto chunks) {
    auto problem = gemv::MakeProblem<decltype(chunks)>(
        {.hidden = ViewOf<const float>(x), .norm = norm, .eps = eps, .rows = x.rows, .in = x.cols},
        products[0].y.dtype);
    gemv::FillMatrices(problem, products);
    gemv::RunRows(context, problem);
  });
}

void GatedGemv(CudaContext& context, const Tensor& y, const Tensor& x, const float* norm, float eps,
               const Weight& gate, const Weight& up, float scale) {
  CHECK(gate.bias == nullptr && up.bias == nullptr && gate.out == up.out);
  const Product products[] = {{y, &gate}, {y, &up}};
  WithWeightChunks(gate, [&](auto chunks) {
    auto problem = gemv::MakeProblem<decltype(chunks)>(
        {.hidden = ViewOf<const float>(x), .norm = norm, .eps = eps, .rows = x.rows, .in = x.cols},
        y.dtype);
    gemv::FillMatrices(problem, products);
    problem.gated = true;
    problem.scale = scale;
    gemv::RunRows(context, problem);
  });
}

}  // namespace bagel