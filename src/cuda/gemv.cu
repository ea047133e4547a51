#include <algorithm>
#include <type_traits>

#include "cuda/gemv.h"
#include "cuda/gemv_kernel.cuh"
#include "cuda/launch.h"

namespace bagel {
namespace gemv {
namespace {

// Sets how many warps share a tile: as many as leave each some steps and all blocks at work at
// once, where that is possible.
template <typename Format>
void Divide(Problem<Format>& problem, int blocks) {
  constexpr int kFewSteps = 3;
  const int steps = (problem.in + kStepColumns<Format> - 1) / kStepColumns<Format>;
  const int tiles = problem.gated ? 2 * problem.tile_ends[0] : problem.tile_ends[2];
  const auto units = [&](int split) {
    const int parts = kWarps / split;
    return problem.gated ? (problem.tile_ends[0] + parts / 2 - 1) / (parts / 2)
                         : (tiles + parts - 1) / parts;
  };
  int split = problem.gated ? kWarps / 2 : kWarps;
  while (split > 1 && (steps < split * kFewSteps || units(split) > blocks) &&
         !(split == 2 && steps >= 2 * kFewSteps))
    split /= 2;
  problem.split = split;
  problem.units = units(split);
}

template <typename Format, typename Sums, bool kStreamed>
void LaunchGemv(const CudaContext& context, Problem<Format> problem, size_t shared) {
  const auto kernel = GemvKernel<Format, Sums, kStreamed>;
  const int most = BlocksOfMultiprocessor(kernel, kThreads, shared) * context.multiprocessors();
  Divide(problem, most);
  const int turns = (problem.units + most - 1) / most;
  Launch(context.stream(),
         {.grid = dim3(static_cast<unsigned>((problem.units + turns - 1) / turns)),
          .block = dim3(kThreads),
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

// Bytes of shared memory for `rows` rows of x, padded so that the next lies on other banks.
template <typename Format>
size_t BytesOfX(int64_t rows, int64_t in) {
  constexpr int64_t kStep = kStepColumns<Format>;
  return sizeof(__half) * static_cast<size_t>(rows * ((in + kStep - 1) / kStep * kStep + 8));
}

// SumsOf<Format, kStreamed> is what a lane adds up.
template <typename Format, template <typename, bool> typename SumsOf>
void LaunchRows(const CudaContext& context, Problem<Format> problem) {
  problem.stride = static_cast<int>(BytesOfX<Format>(1, problem.in) / sizeof(__half));
  constexpr size_t kFixed = FixedShared<Format, SumsOf<Format, false>>();
  const size_t shared = kFixed + BytesOfX<Format>(problem.rows, problem.in);
  if (shared + sizeof(Tiles[2]) <= context.most_shared())
    LaunchGemv<Format, SumsOf<Format, false>, false>(context, problem, shared);
  else
    LaunchGemv<Format, SumsOf<Format, true>, true>(context, problem, kFixed);
}

template <typename Format, bool kStreamed>
using OneRow = MultiplyAddSums<Format, kStreamed, 1>;
template <typename Format, bool kStreamed>
using TwoRows = MultiplyAddSums<Format, kStreamed, 2>;
template <typename Format, bool kStreamed>
using FourRows = MultiplyAddSums<Format, kStreamed, 4>;

// Runs a problem of at most kColumns rows, as many at a time as its kernels take.
template <typename Format>
void RunRows(const CudaContext& context, const Problem<Format>& problem) {
  if (context.HasMma()) return LaunchRows<Format, TensorCoreSums>(context, problem);
  for (int first = 0; first < problem.rows;) {
    const int left = problem.rows - first, rows = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    const Problem<Format> part = RowsOf(problem, first, rows);
    if (rows == 4)
      LaunchRows<Format, FourRows>(context, part);
    else if (rows == 2)
      LaunchRows<Format, TwoRows>(context, part);
    else
      LaunchRows<Format, OneRow>(context, part);
    first += rows;
  }
}

template <typename Format>
void FillMatrices(Problem<Format>& problem, std::span<const Product> products) {
  int tiles = 0;
  for (size_t i = 0; i < kMostMatrices; ++i) {
    if (i < products.size()) {
      const Product& product = products[i];
      WithWeightChunks(*product.weight, [&](auto chunks) {
        if constexpr (std::is_same_v<decltype(chunks), Format>)
          problem.matrices[i] = {chunks, product.weight->bias, product.y.data, product.y.stride,
                                 static_cast<int>(product.weight->out)};
      });
      tiles += (problem.matrices[i].out + kTile - 1) / kTile;
    } else {
      problem.matrices[i] = problem.matrices[0];
    }
    problem.tile_ends[i] = tiles;
  }
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
  constexpr int64_t kMostColumns =
      8 * gemv::kThreads * gemv::kNormGroups - 512;  // padding included
  if (x.rows > kGemvRows || x.dtype != DType::kF32 || !InEights(x) || x.cols > kMostColumns ||
      x.cols < 256 || weights.size() > gemv::kMostMatrices)
    return false;
  const bool alike = std::all_of(weights.begin(), weights.end(), [&](const Weight* weight) {
    return InChunks(*weight) && weight->format == weights[0]->format;
  });
  if (!alike) return false;
  bool fits = false;
  WithWeightChunks(*weights[0], [&](auto chunks) {
    using Format = decltype(chunks);
    constexpr int64_t kRowsAlone = 4;  // that multiply-adds take at a time
    const int64_t rows = context.HasMma() ? x.rows : std::min(x.rows, kRowsAlone);
    const size_t fixed = context.HasMma()
                             ? gemv::FixedShared<Format, gemv::TensorCoreSums<Format, false>>()
                             : gemv::FixedShared<Format, gemv::OneRow<Format, false>>();
    fits = fixed + gemv::BytesOfX<Format>(rows, x.cols) + sizeof(gemv::Tiles[2]) <=
           context.most_shared();
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