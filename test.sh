#!/usr/bin/env bash
# Installs what is missing, builds, and runs the tests. The last line is "N passed, N failed".
#
#   ./test.sh          the tests that fit into a minute
#   ./test.sh --all    also what takes long: real clients, the demo model's answers, benchmarks
set -euo pipefail
cd "$(dirname "$0")"
source tools/packages.sh
source tools/build.sh
source tools/python.sh

all=false
case "${1:-}" in
  "") ;;
  --all) all=true ;;
  *)
    echo "usage: ./test.sh [--all]" >&2
    exit 64
    ;;
esac

passed=0
failed=0

# run NAME COMMAND...: one long test, counted.
run() {
  local name=$1
  shift
  echo "== $name"
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $name"
  fi
}

# The model's accuracy on 500 held-out pictures, through the server.
evaluate() {
  local log port="" status=0
  log="$(mktemp)"
  build/release/apps/bagel/bagel serve --port 0 2>"$log" &
  local server=$!
  for _ in $(seq 100); do
    port="$(sed -n 's/.*listening on http:.*:\([0-9]*\)$/\1/p' "$log")"
    [[ -n "$port" ]] && break
    sleep 0.1
  done
  "$PYTHON" training/evaluate --server "http://127.0.0.1:$port" --name bagel-7b-mot --threads 4 ||
    status=$?
  kill "$server"
  wait "$server" || true
  rm -f "$log"
  return "$status"
}

install_packages "${BUILD_PACKAGES[@]}" "${PACKAGING_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
for package in "${TEST_FILES[@]}"; do
  unpack_package "$package"
done
build release

summary="$(mktemp)"
trap 'rm -f "$summary"' EXIT
ctest --test-dir build/release --output-on-failure -j "$(nproc)" | tee "$summary" || true
read -r failed total < <(sed -n \
  's/.*tests passed, \([0-9]*\) tests failed out of \([0-9]*\)/\1 \2/p' "$summary")
passed=$((total - failed))

if $all; then
  install_packages "${CLIENT_PACKAGES[@]}"
  run "100,000 broken requests" env BAGEL_FUZZ_ROUNDS=50000 \
    build/release/src/api/api_test --gtest_brief=1 --gtest_filter='Fuzz.*'
  run "the recorded edit on the reference device" build/release/tests/golden_draw_test \
    --gtest_brief=1 --gtest_filter='*EditTextChannel/Reference'
  run "looks at 50 drawn people" build/release/tests/whole_look_test --gtest_brief=1 \
    --gtest_filter='*FiftyPeople'
  run "minutes of watching cameras that come and go" build/release/src/vision/watch_test \
    --gtest_brief=1 --gtest_filter='*Long'
  run "first words beside a picture" python3 bench/first_word.py build/release/apps/bagel/bagel
  install_packages "${INSTALL_PACKAGES[@]}"
  run "packages that come and go" tests/packaging/install_test.sh build/release
  install_packages "${STREAM_PACKAGES[@]}"
  run "cameras that hang" build/release/src/vision/camera_test --gtest_brief=1 \
    --gtest_filter='*Long*'
  run "streams that are lost, RTSP" build/release/src/vision/camera_stream_test --gtest_brief=1 \
    --gtest_filter='*Long*'
  run "real clients" tests/api/clients.sh build/release/apps/bagel/bagel
  python_environment bitsandbytes torch safetensors bitsandbytes
  run "NF4 to and from bitsandbytes" "$PYTHON" tests/nf4/bitsandbytes_test.py \
    build/release/apps/bagel/bagel
  if [[ -d demo/model ]]; then
    python_environment evaluate numpy 'pillow>=10.1' 'opencv-python-headless<5'
    run "accuracy on 500 pictures" evaluate
  fi
  for script in bench/*.sh tests/long/*.sh; do
    if [[ -x "$script" ]]; then
      run "$script" "$script"
    fi
  done
fi

if needs="$(grep -v '^#' tests/NEEDS)"; then
  printf 'not run here (tests/NEEDS):\n%s\n' "$needs"
fi
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
