#!/usr/bin/env bash
# cuda_wheels.sh FOLDER: makes FOLDER a CUDA 12.9 installation as far as clang needs one, from
# NVIDIA's packages on PyPI.
set -euo pipefail
folder="$1"
here="$(dirname "$0")"
if [[ -x "$folder/bin/fatbinary" ]]; then
  exit
fi
mkdir -p "$folder"
if [[ ! -x "$folder/venv/bin/pip" ]]; then
  python3 -m venv "$folder/venv"
fi
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
  'nvidia-cuda-runtime-cu12==12.9.*' 'nvidia-cuda-nvcc-cu12==12.9.*'
site=("$folder"/venv/lib/python3*/site-packages/nvidia)
mkdir -p "$folder/include" "$folder/bin" "$folder/lib" "$folder/nvvm"
cp -r "${site[0]}"/cuda_runtime/include/. "${site[0]}"/cuda_nvcc/include/. "$folder/include"
cp -r "${site[0]}"/cuda_runtime/lib/. "$folder/lib"
cp -r "${site[0]}"/cuda_nvcc/nvvm/libdevice "$folder/nvvm"
cp "${site[0]}"/cuda_nvcc/bin/ptxas "$folder/bin"
chmod +x "$folder/bin/ptxas"
cp "$here/fatbinary.py" "$folder/bin/fatbinary"
chmod +x "$folder/bin/fatbinary"
