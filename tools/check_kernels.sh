#!/usr/bin/env bash
# Compiles every kernel for sm_70, 75, 80, 86 and 90a with clang, warnings being errors, and prints
# what each takes of a V100.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/cuda_wheels.sh build/cuda
mkdir -p build/kernels
CCACHE="$(command -v ccache || true)"
export CCACHE
compile() {
  local source=$1 name common
  name="build/kernels/$(basename "$source" .cu)"
  common=(-x cuda --cuda-path=build/cuda -isystem build/cuda/include -std=c++20 -O3 -Isrc -c "$source" -Wall -Wextra -Wshadow
    -Wconversion -Werror -Wno-unknown-cuda-version)
  $CCACHE clang++-19 "${common[@]}" -fPIC --no-cuda-include-ptx=all --offload-arch=sm_75 \
    --offload-arch=sm_80 --offload-arch=sm_86 --offload-arch=sm_90a -o "$name.o"
  if ! clang++-19 "${common[@]}" --cuda-device-only --offload-arch=sm_70 -Xcuda-ptxas -v \
    -o "$name.sm_70" 2>"$name.log"; then
    cat "$name.log"
    return 1
  fi
}
export -f compile
printf '%s\n' src/cuda/*.cu | xargs -P "$(nproc)" -I{} bash -euo pipefail -c 'compile {}'
cat build/kernels/*.log | python3 tools/kernel_report.py
