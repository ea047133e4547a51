#!/usr/bin/env bash
# Builds bagel and its GPU library, libbagel_cuda.so, on a Debian 12 machine with or without CUDA
# and with or without a GPU: with CUDA 12's nvcc where that is installed, else with clang and NVIDIA's
# compiler parts from PyPI, since CUDA 13 cannot compile for the V100.
set -euo pipefail
cd "$(dirname "$0")"
source tools/packages.sh
source tools/build.sh

install_packages "${BUILD_PACKAGES[@]}"
options=(-DBAGEL_GPU=ON)
nvcc="$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)"
if [[ ! -x "$nvcc" ]] || ! "$nvcc" --version | grep -q 'release 12'; then
  install_packages "${GPU_PACKAGES[@]}"
  tools/cuda_wheels.sh build/cuda
  options+=("-DBAGEL_CUDA_WHEELS=$PWD/build/cuda")
fi
cmake --preset release "${options[@]}" >/dev/null
build release bagel bagel_cuda_plugin
echo "build/release/apps/bagel/bagel"
echo "build/release/apps/lib/libbagel_cuda.so"
