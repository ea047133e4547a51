# build PRESET [TARGET...]: configures and builds on all cores; output only when something is wrong
# or a person is watching. To be sourced.
build() {
  local preset=$1
  shift
  local targets=()
  if (($# > 0)); then
    targets=(--target "$@")
  fi
  if [[ ! -f "build/$preset/build.ninja" ]]; then
    cmake --preset "$preset" >/dev/null
  fi
  if [[ -t 1 ]]; then
    cmake --build --preset "$preset" "${targets[@]}"
  else
    local log
    log="$(mktemp)"
    if ! cmake --build --preset "$preset" "${targets[@]}" >"$log" 2>&1; then
      cat "$log"
      rm -f "$log"
      return 1
    fi
    tail -n 1 "$log"
    rm -f "$log"
  fi
}
