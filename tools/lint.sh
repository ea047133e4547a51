#!/usr/bin/env bash
# Runs clang-tidy over the sources of the programs (kernels are the compilers' affair, see
# check_kernels.sh). Headers are most of its work, so it reads several files of a room as one: the
# units of a unity build. With arguments only over those files, tests too, as the release build
# compiles them. What has not changed since it was last clean is not read again.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/lint
if (($# > 0)); then
  build=build/release
fi
clean=build/lint/clean
mkdir -p "$clean"

# What a result depends on: the rules, the compiler's arguments, and the sources with all they
# include from this repository.
stamp() {
  local unit=$1
  {
    cat .clang-tidy "$unit"
    sed -n 's/^#include "\(\/.*\)".*/\1/p' "$unit" | xargs -r cat
    jq -r --arg file "$PWD/$unit" '.[] | select(.file == $file) | .command' \
      "$build/compile_commands.json"
    git ls-files 'src/*.h' 'apps/*.h' 'tests/*.h' | xargs cat
  } | sha256sum | cut -d' ' -f1
}

check() {
  local unit=$1 key
  key="$clean/$(stamp "$unit")"
  if [[ -f "$key" ]]; then
    return 0
  fi
  # The arguments are GCC's: Clang does not know all of its warnings.
  clang-tidy-14 -p "$build" --quiet --extra-arg=-Wno-unknown-warning-option \
    --warnings-as-errors='*' "$unit" 2>/dev/null && touch "$key"
}
export -f check stamp
export build clean

if (($# > 0)); then
  units=("$@")
else
  cmake -S . -B "$build" -G Ninja -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=12 >/dev/null
  find "$build" -name 'unity_*.cxx' -exec sed -i 's|\.cc"$|&  // NOLINT(bugprone-suspicious-include)|' {} +
  mapfile -t units < <(jq -r '.[].file' "$build/compile_commands.json" | sort -u |
    sed -n "s|^$PWD/||p" | grep -Ev '_test\.dir/|_stand_in|^tests/|\.cu$')
fi
printf '%s\0' "${units[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'check "$0"'
