#include <algorithm>
#include <type_traits>

#include "cuda/gemv.h"
#include "cuda/gemv_kernel.cuh"
#include "cuda/launch.h"

namespace bagel {
namespace gemv {
namespace {

// Sets the height of tiles, how many a block makes at once, and how many warps share one. Any of
// three may be what takes the time: the steps of a warp one after the other, those of all warps
// through the multiprocessor, and what it reads. The least sum of them is taken.
template <typename Format>
void Divide(Problem<Format>& problem, int warps, int blocks) {
  const int steps = problem.in / Format::kStepColumns;
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

template <typename Format, typename Sums, int kWarps, bool kStreamed>
void LaunchGemv(const CudaContext& context, Problem<Format> problem, size_t shared) {
  const auto kernel = GemvKernel<Format, Sums, kWarps, kStreamed>;
  const int most = BlocksOfMultiprocessor(kernel, kWarps * 32, shared) * context.multiprocessors();
  Divide(problem, kWarps, most);
  Launch(context.stream(),
         {.grid = dim3(static_cast<unsigned>(std::min(problem.units, most))),
          .block = dim3(kWarps * 32),
          .shared = shared,
          .overlaps = context.HasOverlap()},
         kernel, problem);
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

// Shared memory of a block with a table and with rows of x.
template <typename Format, typename Sums, int kWarps>
size_t SharedOf(int64_t rows, int64_t in) {
  return FixedShared<Sums, kWarps>(static_cast<int>(rows)) +
         static_cast<size_t>(rows) * BytesOfRow<Format>(in);
}
// What a block can have besides its table and BlockSum's memory, behind which the rest is aligned.
template <typename Format>
size_t MostShared(const CudaContext& context) {
  constexpr size_t kAlignment = 1024, kBlockSum = 128;
  constexpr size_t kStatic = Format::kTableWords * sizeof(unsigned) + kBlockSum;
  return context.most_shared() - (kStatic + kAlignment - 1) / kAlignment * kAlignment;
}

inline constexpr int kManyWarps = 18, kSomeWarps = 16, kFewWarps = 8;

// Launches where the block's memory is there; returns whether it was.
template <typename Format, typename Sums, int kWarps, bool kStreamed>
bool LaunchIfFits(const CudaContext& context, const Problem<Format>& problem) {
  const size_t shared = kStreamed ? FixedShared<Sums, kWarps>(problem.rows)
                                  : SharedOf<Format, Sums, kWarps>(problem.rows, problem.in);
  if (shared > MostShared<Format>(context)) return false;
  LaunchGemv<Format, Sums, kWarps, kStreamed>(context, problem, shared);
  return true;
}

template <typename Format>
void LaunchTensorCores(const CudaContext& context, const Problem<Format>& problem) {
  using Sums = TensorCoreSums<Format, false>;
  using Streamed = TensorCoreSums<Format, true>;
  const bool launched = LaunchIfFits<Format, Sums, kManyWarps, false>(context, problem) ||
                        LaunchIfFits<Format, Sums, kSomeWarps, false>(context, problem) ||
                        LaunchIfFits<Format, Sums, kFewWarps, false>(context, problem) ||
                        LaunchIfFits<Format, Streamed, kSomeWarps, true>(context, problem) ||
                        LaunchIfFits<Format, Streamed, kFewWarps, true>(context, problem);
  CHECK(launched);
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

template <typename Format, int kRows>
void LaunchMultiplyAdds(const CudaContext& context, const Problem<Format>& problem) {
  using Sums = MultiplyAddSums<Format, false, kRows>;
  using Streamed = MultiplyAddSums<Format, true, kRows>;
  const bool launched = LaunchIfFits<Format, Sums, kWarpsOf<kRows>, false>(context, problem) ||
                        LaunchIfFits<Format, Streamed, kWarpsOf<kRows>, true>(context, problem);
  CHECK(launched);
}

// Runs a problem of at most kColumns rows, as many at a time as its kernels take.
template <typename Format>
void RunRows(const CudaContext& context, Problem<Format> problem) {
  problem.stride = static_cast<int>(BytesOfRow<Format>(problem.in) / sizeof(__half));
  if (TakesTensorCores(context, problem.rows)) return LaunchTensorCores(context, problem);
  for (int first = 0; first < problem.rows;) {
    const int left = problem.rows - first, rows = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    const Problem<Format> part = RowsOf(problem, first, rows);
    if (rows == 4)
      LaunchMultiplyAdds<Format, 4>(context, part);
    else if (rows == 2)
      LaunchMultiplyAdds<Format, 2>(context, part);
    else
      LaunchMultiplyAdds<Format, 1>(context, part);
    first += rows;
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

bool NormGemvTakes(const CudaContext& context, const Tensor& x,
                   std::span<const Weight* const> weights) {
  if (x.rows > kGemvRows || x.dtype != DType::kF32 || !InEights(x) ||
      x.cols > gemv::kMostNormColumns || x.cols < 256 || weights.size() > gemv::kMostMatrices)
    return false;
  const bool alike = std::all_of(weights.begin(), weights.end(), [&](const Weight* weight) {
    return InChunks(*weight) && weight->format == weights[0]->format;
  });
  if (!alike) return false;
  bool fits = false;
  WithWeightChunks(*weights[0], [&](auto chunks) {
    using Format = decltype(chunks);
    constexpr int64_t kRowsAlone = 4;  // that multiply-adds take at a time
    const size_t shared =
        gemv::TakesTensorCores(context, x.rows)
            ? gemv::SharedOf<Format, gemv::TensorCoreSums<Format, false>, gemv::kFewWarps>(x.rows,
                                                                                           x.cols)
            : gemv::SharedOf<Format, gemv::MultiplyAddSums<Format, false, 1>, gemv::kManyWarps>(
                  std::min(x.rows, kRowsAlone), x.cols);
    fits = shared <= gemv::MostShared<Format>(context);
  });
  return fits;
}

void Gemv(const CudaContext& context, const Tensor& y, const Tensor& x, const Weight& weight,
          bool add, float scale) {
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

void NormGemv(const CudaContext& context, std::span<const Product> products, const Tensor& x,
              const float* norm, float eps) {
  WithWeightChunks(*products[0].weight, [&](auto chunks) {
    auto problem = gemv::MakeProblem<decltype(chunks)>(
        {.hidden = ViewOf<const float>(x), .norm = norm, .eps = eps, .rows = x.rows, .in = x.cols},
        products[0].y.dtype);
    gemv::FillMatrices(problem, products);
    gemv::RunRows(context, problem);
  });
}

void GatedGemv(const CudaContext& context, const Tensor& y, const Tensor& x, const float* norm,
               float eps, const Weight& gate, const Weight& up, float scale) {
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