#!/usr/bin/env bash
# Formats the project's C++ sources; with --check it only says what is not formatted.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(-i)
if [[ "${1:-}" == --check ]]; then
  mode=(--dry-run -Werror)
fi
git ls-files -z '*.cc' '*.h' '*.cu' '*.cuh' | xargs -0 -r clang-format-14 "${mode[@]}"
