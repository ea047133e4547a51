#!/usr/bin/env bash
# Runs clang-tidy over the sources of the programs as the release build compiles them: about nine
# minutes on two cores (kernels are the compilers' affair, see check_kernels.sh). With arguments only
# over those files, tests too. A file whose inputs have not changed since it was last clean is not
# read again.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/release
cache=build/lint
mkdir -p "$cache"

# What a result depends on: the rules, the compiler's arguments, and the file with all it includes
# from this repository.
stamp() {
  local file=$1
  {
    cat .clang-tidy "$file"
    jq -r --arg file "$PWD/$file" '.[] | select(.file == $file) | .command' \
      "$build/compile_commands.json"
    git ls-files 'src/*.h' 'apps/*.h' 'tests/*.h' | xargs cat
  } | sha256sum | cut -d' ' -f1
}

check() {
  local file=$1 key
  key="$cache/$(stamp "$file")"
  if [[ -f "$key" ]]; then
    return 0
  fi
  # The arguments are GCC's: Clang does not know all of its warnings.
  clang-tidy-14 -p "$build" --quiet --extra-arg=-Wno-unknown-warning-option \
    --warnings-as-errors='*' "$file" 2>/dev/null && touch "$key"
}
export -f check stamp
export build cache

if (($# > 0)); then
  files=("$@")
else
  mapfile -t files < <(jq -r '.[].file' "$build/compile_commands.json" | sort -u |
    sed -n "s|^$PWD/||p" | grep -Ev '(_test|_stand_in)\.cc$|^tests/|\.cu$')
fi
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'check "$0"'
