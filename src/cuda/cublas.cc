#include "cuda/cublas.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>

#include "base/error.h"
#include "cuda/launch.h"

namespace bagel {
namespace {

// From cublas_api.h and library_types.h, the same since version 11.
using Handle = void*;
constexpr int kSuccess = 0, kAsIs = 0, kTransposed = 1, kF32 = 0, kF16 = 2, kComputeF32 = 68,
              kDefaultAlgorithm = -1;
using CreateFunction = int (*)(Handle*);
using DestroyFunction = int (*)(Handle);
using SetStreamFunction = int (*)(Handle, cudaStream_t);
using GemmFunction = int (*)(Handle, int transpose_a, int transpose_b, int m, int n, int k,
                             const void* alpha, const void* a, int a_type, int a_stride,
                             const void* b, int b_type, int b_stride, const void* beta, void* c,
                             int c_type, int c_stride, int compute_type, int algorithm);

void* OpenLibrary() {
  for (const char* name : {"libcublas.so.13", "libcublas.so.12", "libcublas.so.11"})
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  return nullptr;
}

class LoadedCublas final : public Cublas {
 public:
  LoadedCublas(Handle handle, DestroyFunction destroy, GemmFunction gemm)
      : handle_(handle), destroy_(destroy), gemm_(gemm) {}
  ~LoadedCublas() override { destroy_(handle_); }

  // cuBLAS counts columns first: y^T [out, rows] = W [out, in] x^T [in, rows].
  void Multiply(const Tensor& y, const Tensor& x, const void* weight, bool add,
                float scale) override {
    const float keep = add ? 1.0f : 0.0f;
    const auto in = static_cast<int>(x.cols);
    const int status =
        gemm_(handle_, kTransposed, kAsIs, static_cast<int>(y.cols), static_cast<int>(y.rows), in,
              &scale, weight, kF16, in, x.data, kF16, static_cast<int>(x.stride), &keep, y.data,
              y.dtype == DType::kF16 ? kF16 : kF32, static_cast<int>(y.stride), kComputeF32,
              kDefaultAlgorithm);
    if (status != kSuccess)
      throw Error(ErrorKind::kInternal, "cuBLAS answers with status " + std::to_string(status) +
                                            " in op " + cuda_stage.op);
  }

 private:
  Handle handle_;
  DestroyFunction destroy_;
  GemmFunction gemm_;
};

}  // namespace

std::unique_ptr<Cublas> Cublas::Load(cudaStream_t stream) {
  void* library = OpenLibrary();
  if (library == nullptr) return nullptr;
  const auto create = reinterpret_cast<CreateFunction>(dlsym(library, "cublasCreate_v2"));
  const auto destroy = reinterpret_cast<DestroyFunction>(dlsym(library, "cublasDestroy_v2"));
  const auto set_stream = reinterpret_cast<SetStreamFunction>(dlsym(library, "cublasSetStream_v2"));
  const auto gemm = reinterpret_cast<GemmFunction>(dlsym(library, "cublasGemmEx"));
  // Its workspace, which is 64 MB on an H100, where 8 MB are as fast.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":8192:1", /*overwrite=*/0);
  Handle handle = nullptr;
  if (!create || !destroy || !set_stream || !gemm || create(&handle) != kSuccess) return nullptr;
  auto cublas = std::make_unique<LoadedCublas>(handle, destroy, gemm);
  if (set_stream(handle, stream) != kSuccess) return nullptr;
  return cublas;
}

}  // namespace bagel
